-- exception_classes: one row per class with an open exception at $as_of: the tabs of the exception queue. In the contract's order.
-- $owner_team, $system varchar or null; $include_snoozed boolean; $as_of timestamptz
-- columns: class, group_count, open_count, order_count, blocked_amount (reporting currency, each order once)
with groups as materialized (
    select group_id, class, open_count, held
    from group_states($as_of)
    where open_count > 0
      and ($owner_team is null or owner_team = $owner_team)
      and ($system is null or system = $system)
      and ($include_snoozed or state <> 'snoozed')
),
leads as (
    select class, lead.lead_key as lead_key, max(lead.amount) as blocked_amount
    from (select class, unnest(held) as lead from groups)
    group by all
),
worth as (
    select class, count(*) as order_count, sum(blocked_amount)::decimal(18, 2) as blocked_amount from leads group by class
),
counted as (
    select class, count(*) as group_count, sum(open_count)::bigint as open_count from groups group by class
)
select c.class, c.group_count, c.open_count, coalesce(w.order_count, 0) as order_count, coalesce(w.blocked_amount, 0)::decimal(18, 2) as blocked_amount
from counted c left join worth w using (class)
order by case c.class when 'business' then 0 when 'technical' then 1 when 'dependency' then 2 else 3 end
