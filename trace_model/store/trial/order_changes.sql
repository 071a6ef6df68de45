-- order_changes: one row per order that would differ: in state, in a clock or in an exception. Changes of state first, then clocks judged
-- otherwise, exceptions, and clocks that only fall due at another time; within each most money, then id.
-- columns: lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, change 'appears'|'goes'|'state'|'clocks'|'exceptions'|'instants',
--   before_state, after_state, clocks, exceptions (what differs, in words), clock_count, exception_count
with clocks as (
    select lead_key, count(*) as clock_count, bool_or(change <> 'instants') as is_judged_anew,
        string_agg(label || ': ' || case change
            when 'starts' then 'new, ' || after_state
            when 'goes' then 'no more, was ' || before_state
            when 'state' then before_state || ' to ' || after_state
            else 'due ' || coalesce(strftime(after_due_at, '%Y-%m-%d %H:%M UTC'), 'never') || ', was ' || coalesce(strftime(before_due_at, '%Y-%m-%d %H:%M UTC'), 'never')
        end, '; ' order by label) as words
    from clock_changes group by lead_key
),
exceptions as (
    select lead_key, count(*) as exception_count,
        string_agg(operation || ' of ' || object_id || ': ' || case change
            when 'appears' then 'new, ' || coalesce(after_class, 'unknown')
            when 'goes' then 'no more'
            when 'state' then before_state || ' to ' || after_state
            when 'class' then before_class || ', ' || before_category || ' to ' || after_class || ', ' || after_category
            when 'owner' then 'owner ' || coalesce(before_owner_team, 'nobody') || ' to ' || coalesce(after_owner_team, 'nobody')
            else 'another group'
        end, '; ' order by operation, object_id) as words
    from exception_changes where lead_key is not null group by lead_key
)
select coalesce(a.lead_type, b.lead_type) as lead_type, coalesce(a.lead_id, b.lead_id) as lead_id, coalesce(a.lead_scope, b.lead_scope) as lead_scope,
    coalesce(a.customer_name, b.customer_name) as customer_name, coalesce(a.amount, b.amount) as amount, coalesce(a.currency, b.currency) as currency,
    coalesce(a.reporting_amount, b.reporting_amount) as reporting_amount,
    case
        when b.lead_key is null then 'appears'
        when a.lead_key is null then 'goes'
        when a.state <> b.state then 'state'
        when c.is_judged_anew then 'clocks'
        when e.lead_key is not null then 'exceptions'
        else 'instants'
    end as change,
    b.state as before_state, a.state as after_state, c.words as clocks, e.words as exceptions,
    coalesce(c.clock_count, 0) as clock_count, coalesce(e.exception_count, 0) as exception_count
from before_orders b
full join after_orders a on a.lead_key = b.lead_key
left join clocks c on c.lead_key = coalesce(a.lead_key, b.lead_key)
left join exceptions e on e.lead_key = coalesce(a.lead_key, b.lead_key)
where a.state is distinct from b.state or c.lead_key is not null or e.lead_key is not null
order by case change when 'clocks' then 1 when 'exceptions' then 2 when 'instants' then 3 else 0 end, reporting_amount desc nulls last, lead_id
