-- kpi_backlog: one row per day (00:00 UTC, the last one $as_of itself) of the $days days before $as_of: what was open then. In order of time.
-- $days int; $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: at_instant, order_count, amount (open orders, reporting currency), exception_count (depth of all queues)
with instants as (
    select unnest(generate_series(date_trunc('day', $as_of::timestamptz) - to_days($days - 1), date_trunc('day', $as_of::timestamptz), interval 1 day)) as at_instant
    union
    select $as_of::timestamptz
),
failures_then as materialized (
    select opened_at, case when state = 'resolved' then resolved_at_then end as closed_at, region, product_line, legal_entity from known_failures($as_of)
),
moves as (
    select started_at as moved_at, 1 as orders, reporting_amount as amount, 0 as exceptions, region, product_line, legal_entity from timelines
    union all
    select least(completed_at, cancelled_at), -1, -reporting_amount, 0, region, product_line, legal_entity from timelines where least(completed_at, cancelled_at) is not null
    union all
    select opened_at, 0, 0, 1, region, product_line, legal_entity from failures_then
    union all
    select closed_at, 0, 0, -1, region, product_line, legal_entity from failures_then where closed_at is not null
),
by_day as (
    select (epoch_us(moved_at) - 1) // 86400000000 + 1 as until_day, sum(orders) as orders, sum(amount) as amount, sum(exceptions) as exceptions
    from moves
    where moved_at <= $as_of and ($region is null or region = $region)
      and ($product_line is null or product_line = $product_line)
      and ($legal_entity is null or legal_entity = $legal_entity)
    group by 1
),
-- at the first of the instants at which it shows
matching as (
    select least(make_timestamptz(until_day * 86400000000), $as_of::timestamptz) as at_instant, orders, amount, exceptions from by_day
),
running as (
    select at_instant, sum(orders) over until_then as order_count, sum(amount) over until_then as amount, sum(exceptions) over until_then as exception_count
    from matching
    window until_then as (order by at_instant rows unbounded preceding)
)
select i.at_instant, coalesce(r.order_count, 0)::bigint as order_count, coalesce(r.amount, 0)::decimal(18, 2) as amount,
    coalesce(r.exception_count, 0)::bigint as exception_count
from instants i asof left join running r on r.at_instant <= i.at_instant
order by i.at_instant
