-- latency_orders: one row per order that reached $start in the $days days before $as_of, with its latency to $stop: the rows behind a bar. Longest first.
-- $start, $stop milestone names; $region, $product_line, $legal_entity varchar or null; $days int; $day date or null (UTC, of $start);
--   $from_s, $until_s double or null (latency at least, and under); $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, region, product_line, legal_entity, from_at, until_at (null: waiting),
--   latency_s (age so far where waiting), due_at, total_count
with pairs as (
    select lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, region, product_line, legal_entity, from_at, until_at, due_at
    from latencies($start, $stop, $as_of, $days)
    where ($region is null or region = $region)
      and ($product_line is null or product_line = $product_line)
      and ($legal_entity is null or legal_entity = $legal_entity)
      and ($day is null or utc_day(from_at) = $day::date)
),
timed as (
    select *, epoch(coalesce(until_at, $as_of::timestamptz)) - epoch(from_at) as latency_s from pairs
)
select *, count(*) over () as total_count
from timed
where ($from_s is null or latency_s >= $from_s) and ($until_s is null or latency_s < $until_s)
order by latency_s desc, lead_id
limit $limit
