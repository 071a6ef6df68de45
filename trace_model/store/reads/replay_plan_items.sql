-- replay_plan_items: one row per item of a plan, of one outcome or all, as known now. In the order of sending.
-- $plan_id varchar; $outcome varchar or null for all; $limit int; $offset int
-- columns: those of replay_items (migrations/001_kept.sql), total_count (items that match)
select *, count(*) over () as total_count
from replay_items
where plan_id = $plan_id and ($outcome is null or outcome = $outcome)
order by item_no
limit $limit offset $offset
