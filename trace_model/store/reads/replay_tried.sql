-- replay_tried: one row per outcome of a plan's items that were sent to a system since an instant. Ordered by outcome.
-- $plan_id varchar; $system varchar; $since timestamptz
-- columns: outcome, item_count
select outcome, count(*) as item_count
from replay_items
where plan_id = $plan_id and system = $system and sent_at >= $since
group by outcome
order by outcome
