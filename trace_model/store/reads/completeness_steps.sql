-- completeness_steps: one row per step of the declared path for the orders that started on the days $from_day..$until_day (UTC): what should be there, what is,
-- and what explains the rest, in reporting currency; orders of a currency without a rate count, without an amount. In path order.
-- $from_day, $until_day date; $legal_entity, $currency varchar or null; $as_of timestamptz
-- columns: milestone, label, owner_team, order_count, count, due_count, due_amount, amount, and <explanation>_count, <explanation>_amount for
--   in_transit, exception, not_seen, passed_over, lessened, more
with steps as (
    -- rounded order by order, so that what is explained adds up to the cent
    select s.* replace ((s.due_amount * r.rate)::decimal(18, 2) as due_amount, (s.amount * r.rate)::decimal(18, 2) as amount,
        (s.due_amount * r.rate)::decimal(18, 2) - (s.amount * r.rate)::decimal(18, 2) as difference)
    from flow_steps($as_of, $from_day, $until_day) s left join cat_rates r on r.currency = s.currency
    where ($legal_entity is null or legal_entity = $legal_entity) and ($currency is null or s.currency = $currency)
)
select milestone, any_value(label) as label, any_value(owner_team) as owner_team, count(*) as order_count, count(*) filter (is_reached) as count,
    count(*) filter (is_due) as due_count, coalesce(sum(due_amount), 0)::decimal(18, 2) as due_amount, coalesce(sum(amount), 0)::decimal(18, 2) as amount,
    count(*) filter (explanation = 'in_transit') as in_transit_count, coalesce(sum(difference) filter (explanation = 'in_transit'), 0)::decimal(18, 2) as in_transit_amount,
    count(*) filter (explanation = 'exception') as exception_count, coalesce(sum(difference) filter (explanation = 'exception'), 0)::decimal(18, 2) as exception_amount,
    count(*) filter (explanation = 'not_seen') as not_seen_count, coalesce(sum(difference) filter (explanation = 'not_seen'), 0)::decimal(18, 2) as not_seen_amount,
    count(*) filter (explanation = 'passed_over') as passed_over_count, coalesce(sum(difference) filter (explanation = 'passed_over'), 0)::decimal(18, 2) as passed_over_amount,
    count(*) filter (explanation = 'lessened') as lessened_count, coalesce(sum(difference) filter (explanation = 'lessened'), 0)::decimal(18, 2) as lessened_amount,
    count(*) filter (explanation = 'more') as more_count, coalesce(sum(difference) filter (explanation = 'more'), 0)::decimal(18, 2) as more_amount
from steps
group by milestone, position
order by position
