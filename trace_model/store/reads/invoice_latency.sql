-- invoice_latency: one row per day on which orders were accepted, for the $days days before $as_of: how long until the first invoice.
-- Orders not yet invoiced count with their age so far in open_count, never in the percentiles.
-- $start, $stop milestone names; $region, $product_line, $legal_entity varchar or null; $days int; $as_of timestamptz
-- columns: day (UTC date), order_count, invoiced_count, open_count, late_count, p50_s, p90_s, p95_s, open_amount (reporting currency)
with pairs as (
    select t.lead_key, t.lead_id, t.reporting_amount, a.reached_at as accepted_at, case when b.reached_at <= $as_of then b.reached_at end as invoiced_at, c.due_at
    from timelines t
    join timeline_milestones a on a.lead_key = t.lead_key and a.milestone = $start
    left join timeline_milestones b on b.lead_key = t.lead_key and b.milestone = $stop
    left join clocks c on c.lead_key = t.lead_key and c.promise in (select promise from cat_promises where start = $start and stop = $stop)
    where a.reached_at <= $as_of and a.reached_at > $as_of - to_days($days)
      and coalesce(t.cancelled_at > $as_of, true)
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
)
select accepted_at::date as day, count(*) as order_count, count(invoiced_at) as invoiced_count, count(*) - count(invoiced_at) as open_count,
    count(*) filter (due_at < coalesce(invoiced_at, $as_of)) as late_count,
    quantile_cont(epoch(invoiced_at) - epoch(accepted_at), 0.5) as p50_s,
    quantile_cont(epoch(invoiced_at) - epoch(accepted_at), 0.9) as p90_s,
    quantile_cont(epoch(invoiced_at) - epoch(accepted_at), 0.95) as p95_s,
    coalesce(sum(reporting_amount) filter (invoiced_at is null), 0)::decimal(18, 2) as open_amount
from pairs
group by day
order by day
