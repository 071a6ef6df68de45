-- completeness: one row per period (of the order's start, UTC), legal entity, currency and step of the declared path: what should be there by the steps
-- before, what is, and what explains the rest. Latest period first, then entity, currency and the path.
-- $period 'day'|'week'|'month'; $from_day, $until_day date; $legal_entity, $currency varchar or null; $as_of timestamptz
-- columns: day (first of the period), legal_entity, currency, order_count, order_amount, milestone, label, count, amount, due_count, due_amount,
--   in_transit_count, in_transit_amount, exception_count, exception_amount, not_seen_count, not_seen_amount, passed_over_count, passed_over_amount,
--   adjusted_count, adjusted_amount (lessened and more). Amounts in the order's currency; due_amount - amount = the five explained amounts
with steps as (
    select * replace (date_trunc($period, day)::date as day)
    from flow_steps($as_of, $from_day, $until_day)
    where ($legal_entity is null or legal_entity = $legal_entity) and ($currency is null or currency = $currency)
),
whole as (
    select day, legal_entity, currency, count(*) as order_count, sum(order_amount) as order_amount
    from (select distinct lead_key, day, legal_entity, currency, order_amount from steps)
    group by day, legal_entity, currency
)
select day, legal_entity, currency, any_value(w.order_count) as order_count, any_value(w.order_amount)::decimal(18, 2) as order_amount, milestone,
    any_value(label) as label, count(*) filter (is_reached) as count, sum(amount)::decimal(18, 2) as amount,
    count(*) filter (is_due) as due_count, sum(due_amount)::decimal(18, 2) as due_amount,
    count(*) filter (explanation = 'in_transit') as in_transit_count, coalesce(sum(difference) filter (explanation = 'in_transit'), 0)::decimal(18, 2) as in_transit_amount,
    count(*) filter (explanation = 'exception') as exception_count, coalesce(sum(difference) filter (explanation = 'exception'), 0)::decimal(18, 2) as exception_amount,
    count(*) filter (explanation = 'not_seen') as not_seen_count, coalesce(sum(difference) filter (explanation = 'not_seen'), 0)::decimal(18, 2) as not_seen_amount,
    count(*) filter (explanation = 'passed_over') as passed_over_count, coalesce(sum(difference) filter (explanation = 'passed_over'), 0)::decimal(18, 2) as passed_over_amount,
    count(*) filter (explanation in ('lessened', 'more')) as adjusted_count, coalesce(sum(difference) filter (explanation in ('lessened', 'more')), 0)::decimal(18, 2) as adjusted_amount
from steps join whole w using (day, legal_entity, currency)
group by day, legal_entity, currency, milestone, position
order by day desc, legal_entity, currency, position
