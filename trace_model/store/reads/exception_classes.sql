-- exception_classes: one row per class with an open exception at $as_of: the tabs of the exception queue. In the contract's order.
-- $owner_team, $system varchar or null; $include_snoozed boolean; $as_of timestamptz
-- columns: class, group_count, open_count, order_count, blocked_amount (reporting currency, each order once)
with open as (
    select class, group_id, exception_id, lead_key, blocked_amount
    from open_failures($as_of)
    where ($owner_team is null or owner_team = $owner_team)
      and ($system is null or system = $system)
      and ($include_snoozed or snoozed_until is null or snoozed_until <= $as_of)
),
leads as (
    select class, lead_key, max(blocked_amount) as blocked_amount from open where lead_key is not null group by class, lead_key
)
select o.class, count(distinct o.group_id) as group_count, count(*) as open_count, count(distinct o.lead_key) as order_count,
    coalesce((select sum(l.blocked_amount) from leads l where l.class = o.class), 0)::decimal(18, 2) as blocked_amount
from open o
group by o.class
order by case o.class when 'business' then 0 when 'technical' then 1 when 'dependency' then 2 else 3 end
