-- exception_classes: one row per class with an open exception at $as_of: the tabs of the exception queue. In the contract's order.
-- $owner_team, $system varchar or null; $include_snoozed boolean; $as_of timestamptz
-- columns: class, group_count, open_count, order_count, blocked_amount (reporting currency, each order once)
with groups as (
    select group_id, class
    from group_states($as_of)
    where open_count > 0
      and ($owner_team is null or owner_team = $owner_team)
      and ($system is null or system = $system)
      and ($include_snoozed or state <> 'snoozed')
),
open as (
    select g.class, f.group_id, f.lead_key, count(*) as open_count, max(f.blocked_amount) as blocked_amount
    from known_exceptions($as_of) f join groups g using (group_id)
    where f.state = 'open'
    group by g.class, f.group_id, f.lead_key
),
leads as (
    select class, lead_key, max(blocked_amount) as blocked_amount from open where lead_key is not null group by class, lead_key
),
worth as (
    select class, count(*) as order_count, sum(blocked_amount) as blocked_amount from leads group by class
)
select o.class, count(distinct o.group_id) as group_count, sum(o.open_count)::bigint as open_count, coalesce(any_value(w.order_count), 0) as order_count,
    coalesce(any_value(w.blocked_amount), 0)::decimal(18, 2) as blocked_amount
from open o left join worth w using (class)
group by o.class
order by case o.class when 'business' then 0 when 'technical' then 1 when 'dependency' then 2 else 3 end
