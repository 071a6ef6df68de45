-- exception_classes: one row per class with an open exception at $as_of: the tabs of the exception queue. In the contract's order.
-- $owner_team, $system varchar or null; $include_snoozed boolean; $as_of timestamptz
-- columns: class, group_count, open_count, order_count, blocked_amount (reporting currency, each order once)
with groups as materialized (
    select group_id, class, kind, open_count, order_count, blocked_amount
    from group_states($as_of)
    where open_count > 0
      and ($owner_team is null or owner_team = $owner_team)
      and ($system is null or system = $system)
      and ($include_snoozed or state <> 'snoozed')
),
known as materialized (
    select group_id, lead_key, blocked_amount, state from known_failures($as_of)
),
leads as (
    select g.class, f.lead_key, max(f.blocked_amount) as blocked_amount
    from known f join groups g using (group_id)
    where f.state = 'open' and f.lead_key is not null
    group by g.class, f.lead_key
),
worth as (
    select class, count(*) as order_count, sum(blocked_amount) as blocked_amount from leads group by class
    union all
    -- an order that is stuck has no failure, and is in one group
    select class, sum(order_count), sum(blocked_amount) from groups where kind = 'stuck_flow' group by class
),
counted as (
    select class, count(*) as group_count, sum(open_count)::bigint as open_count from groups group by class
)
select c.class, c.group_count, c.open_count, coalesce(sum(w.order_count), 0)::bigint as order_count, coalesce(sum(w.blocked_amount), 0)::decimal(18, 2) as blocked_amount
from counted c left join worth w using (class)
group by c.class, c.group_count, c.open_count
order by case c.class when 'business' then 0 when 'technical' then 1 when 'dependency' then 2 else 3 end
