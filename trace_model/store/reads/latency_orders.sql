-- latency_orders: one row per order that reached $start in the $days days before $as_of, with its latency to $stop: the rows behind a bar. Longest first.
-- $start, $stop milestone names; $region, $product_line, $legal_entity varchar or null; $days int; $day date or null (UTC, of $start);
--   $from_s, $until_s double or null (latency at least, and under); $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, customer_name, amount, currency, reporting_amount, region, product_line, legal_entity, from_at, until_at (null: waiting),
--   latency_s (age so far where waiting), due_at, total_count
with pairs as (
    select t.lead_type, t.lead_id, t.customer_name, t.amount, t.currency, t.reporting_amount, t.region, t.product_line, t.legal_entity,
        a.reached_at as from_at, case when b.reached_at <= $as_of then b.reached_at end as until_at, c.due_at
    from timelines t
    join timeline_milestones a on a.lead_key = t.lead_key and a.milestone = $start
    left join timeline_milestones b on b.lead_key = t.lead_key and b.milestone = $stop
    left join clocks c on c.lead_key = t.lead_key and c.promise in (select promise from cat_promises where start = $start and stop = $stop)
    where a.reached_at <= $as_of and a.reached_at > $as_of - to_days($days)
      and coalesce(t.cancelled_at > $as_of, true)
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
      and ($day is null or a.reached_at::date = $day::date)
),
timed as (
    select *, epoch(coalesce(until_at, $as_of::timestamptz)) - epoch(from_at) as latency_s from pairs
)
select *, count(*) over () as total_count
from timed
where ($from_s is null or latency_s >= $from_s) and ($until_s is null or latency_s < $until_s)
order by latency_s desc, lead_id
limit $limit
