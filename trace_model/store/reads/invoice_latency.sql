-- invoice_latency: one row per day on which orders were accepted, for the $days days before $as_of: how long until the first invoice.
-- Orders not yet invoiced count with their age so far in open_count, never in the percentiles.
-- $start, $stop milestone names; $region, $product_line, $legal_entity varchar or null; $days int; $as_of timestamptz
-- columns: day (UTC date), order_count, invoiced_count, open_count, late_count, p50_s, p90_s, p95_s, open_amount (reporting currency)
with pairs as (
    select reporting_amount, from_at as accepted_at, until_at as invoiced_at, due_at
    from latencies($start, $stop, $as_of, $days)
    where ($region is null or region = $region)
      and ($product_line is null or product_line = $product_line)
      and ($legal_entity is null or legal_entity = $legal_entity)
)
select day, order_count, invoiced_count, order_count - invoiced_count as open_count, late_count, lasted_s[1] as p50_s, lasted_s[2] as p90_s, lasted_s[3] as p95_s,
    open_amount
from (
    select utc_day(accepted_at) as day, count(*) as order_count, count(invoiced_at) as invoiced_count,
        count(*) filter (due_at < coalesce(invoiced_at, $as_of)) as late_count,
        quantile_cont(epoch(invoiced_at) - epoch(accepted_at), [0.5, 0.9, 0.95]) as lasted_s,
        coalesce(sum(reporting_amount) filter (invoiced_at is null), 0)::decimal(18, 2) as open_amount
    from pairs
    group by day
)
order by day
