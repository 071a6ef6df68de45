-- kpi_durations: one row per duration and week (seven days that end with $as_of; 0 is the latest) in which orders completed it. Order acceptance time,
-- invoice latency, order cycle time and cash conversion, as order_durations defines them. Latest week first.
-- $weeks int; $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: kpi, week, from_at, until_at, order_count, p50_s, p90_s, p95_s, weighted_s (mean weighted by amount), amount (reporting currency)
with counted as (
    select kpi, week, count(*) as order_count, quantile_cont(duration_s, [0.5, 0.9, 0.95]) as lasted_s,
        sum(duration_s * reporting_amount) / nullif(sum(reporting_amount), 0) as weighted_s, coalesce(sum(reporting_amount), 0)::decimal(18, 2) as amount
    from order_durations($as_of, $weeks)
    where ($region is null or region = $region)
      and ($product_line is null or product_line = $product_line)
      and ($legal_entity is null or legal_entity = $legal_entity)
    group by kpi, week
)
select kpi, week, $as_of::timestamptz - to_days(7 * (week + 1)) as from_at, $as_of::timestamptz - to_days(7 * week) as until_at, order_count,
    lasted_s[1] as p50_s, lasted_s[2] as p90_s, lasted_s[3] as p95_s, weighted_s, amount
from counted
order by kpi, week
