-- completeness: one row per period (of the order's start, UTC), legal entity, currency and step of the declared path: what should be there by the steps
-- before, what is, and what explains the rest. Latest period first, then entity, currency and the path.
-- $period 'day'|'week'|'month'; $from_day, $until_day date; $legal_entity, $currency varchar or null; $as_of timestamptz
-- columns: day (first of the period), legal_entity, currency, order_count, order_amount, milestone, label, owner_team, count, amount, due_count, due_amount, and
--   <reason>_count, <reason>_amount for in_transit, exception, in_part, not_seen, passed_over, lessened, more. due_amount - amount = the sum of the seven.
--   Amounts in the order's currency; those that end in _reporting in reporting currency, rounded order by order (without a rate: nothing).
with gathered as (
    -- by what there are few of first: the sums below then cost nothing
    select date_trunc($period, s.day)::date as day, s.legal_entity, s.currency, s.milestone, s.position, s.explanation, s.is_first, s.is_due, s.is_reached,
        sum(s.order_count) as steps, sum(s.order_amount) as order_amount, sum(s.amount) as amount, sum(s.due_amount) as due_amount, sum(s.difference) as difference,
        sum(s.amount_reporting) as reporting, sum(s.due_reporting) as due_reporting
    from flow_steps($as_of, $from_day, $until_day) s
    where ($legal_entity is null or s.legal_entity = $legal_entity) and ($currency is null or s.currency = $currency)
    group by all
),
counted as (
    select day, legal_entity, currency, milestone, position, sum(steps) filter (is_first) as first_count, sum(order_amount) filter (is_first) as first_amount,
        coalesce(sum(steps) filter (is_reached), 0)::bigint as count, sum(amount)::decimal(18, 2) as amount, coalesce(sum(reporting), 0)::decimal(18, 2) as amount_reporting,
        coalesce(sum(steps) filter (is_due), 0)::bigint as due_count, sum(due_amount)::decimal(18, 2) as due_amount, coalesce(sum(due_reporting), 0)::decimal(18, 2) as due_reporting,
        coalesce(sum(steps) filter (explanation = 'in_transit'), 0)::bigint as in_transit_count, coalesce(sum(difference) filter (explanation = 'in_transit'), 0)::decimal(18, 2) as in_transit_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'in_transit'), 0)::decimal(18, 2) as in_transit_reporting,
        coalesce(sum(steps) filter (explanation = 'exception'), 0)::bigint as exception_count, coalesce(sum(difference) filter (explanation = 'exception'), 0)::decimal(18, 2) as exception_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'exception'), 0)::decimal(18, 2) as exception_reporting,
        coalesce(sum(steps) filter (explanation = 'in_part'), 0)::bigint as in_part_count, coalesce(sum(difference) filter (explanation = 'in_part'), 0)::decimal(18, 2) as in_part_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'in_part'), 0)::decimal(18, 2) as in_part_reporting,
        coalesce(sum(steps) filter (explanation = 'not_seen'), 0)::bigint as not_seen_count, coalesce(sum(difference) filter (explanation = 'not_seen'), 0)::decimal(18, 2) as not_seen_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'not_seen'), 0)::decimal(18, 2) as not_seen_reporting,
        coalesce(sum(steps) filter (explanation = 'passed_over'), 0)::bigint as passed_over_count, coalesce(sum(difference) filter (explanation = 'passed_over'), 0)::decimal(18, 2) as passed_over_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'passed_over'), 0)::decimal(18, 2) as passed_over_reporting,
        coalesce(sum(steps) filter (explanation = 'lessened'), 0)::bigint as lessened_count, coalesce(sum(difference) filter (explanation = 'lessened'), 0)::decimal(18, 2) as lessened_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'lessened'), 0)::decimal(18, 2) as lessened_reporting,
        coalesce(sum(steps) filter (explanation = 'more'), 0)::bigint as more_count, coalesce(sum(difference) filter (explanation = 'more'), 0)::decimal(18, 2) as more_amount,
        coalesce(sum(due_reporting - reporting) filter (explanation = 'more'), 0)::decimal(18, 2) as more_reporting
    from gathered
    group by day, legal_entity, currency, milestone, position
)
select c.day, c.legal_entity, c.currency, (sum(c.first_count) over one)::bigint as order_count, (sum(c.first_amount) over one)::decimal(18, 2) as order_amount,
    c.* exclude (day, legal_entity, currency, position, first_count, first_amount), m.label, m.owner_team
from counted c join cat_milestones m using (milestone)
window one as (partition by c.day, c.legal_entity, c.currency)
order by c.day desc, c.legal_entity, c.currency, c.position
