-- replay_plan_items: one row per item of a plan, of one outcome or all, as known now. In the order of sending.
-- $plan_id varchar; $outcome varchar or null for all; $limit int; $offset int
-- columns: those of replay_items (migrations/001_kept.sql), object_scope (whose id it is), total_count (items that match)
select i.*, o.scope as object_scope, count(*) over () as total_count
from replay_items i
left join objects o on o.object_key = i.object_key
where plan_id = $plan_id and ($outcome is null or outcome = $outcome)
order by item_no
limit $limit offset $offset
