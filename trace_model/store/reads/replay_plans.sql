-- replay_plans: one row per replay plan made until $as_of (or the one named), with what became of its items as known now. Newest first, then plan_id.
-- $plan_id varchar or null for all; $as_of timestamptz; $limit int; $offset int
-- columns: plan_id, hash, state, state_reason, created_at, created_by, reason, needs_approval, approval_reason, replaces, approved_by, approved_at, approved_until,
--   executed_by, executed_at, patch (JSON text), from_step, data_fixed, item_count, send_count (to be sent), worth (of those; reporting currency),
--   currency, totals (outcome -> items), send_totals (the same of those to be sent), total_count (plans that match)
with chosen as (
    select *, count(*) over () as total_count
    from replay_plans
    where created_at <= $as_of and ($plan_id is null or plan_id = $plan_id)
    order by created_at desc, plan_id
    limit $limit offset $offset
),
counts as (
    select plan_id, count(*) as item_count, count(*) filter (decision <> 'skip') as send_count,
        sum(amount) filter (decision <> 'skip') as worth, any_value(currency) as currency,
        histogram(outcome) as totals, histogram(outcome) filter (decision <> 'skip') as send_totals
    from replay_items
    where plan_id in (select plan_id from chosen)
    group by plan_id
)
select p.plan_id, p.hash, p.state, p.state_reason, p.created_at, p.created_by, p.reason, p.needs_approval, p.approval_reason, p.replaces, p.approved_by, p.approved_at,
    p.approved_until, p.executed_by, p.executed_at, p.patch, p.from_step, p.data_fixed, coalesce(c.item_count, 0) as item_count,
    coalesce(c.send_count, 0) as send_count, coalesce(c.worth, 0) as worth, c.currency, c.totals, c.send_totals, p.total_count
from chosen p left join counts c using (plan_id)
order by p.created_at desc, p.plan_id
