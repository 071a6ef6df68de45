-- replay_due: one row per item of a plan that may be sent now, in the order of sending.
-- $plan_id varchar; $now timestamptz (items that wait for a later instant are left out); $limit int
-- columns: those of replay_items (migrations/001_kept.sql)
select *
from replay_items
where plan_id = $plan_id and decision <> 'skip' and outcome = 'planned' and (not_before is null or not_before <= $now)
order by item_no
limit $limit
