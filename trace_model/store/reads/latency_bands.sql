-- latency_bands: one row per band of latency: how long from $start to $stop for orders that reached $start in the $days days before $as_of. Shortest first.
-- An order that has not reached $stop stands in the band of its age so far, counted apart.
-- $start, $stop milestone names; $region, $product_line, $legal_entity varchar or null; $days int; $as_of timestamptz
-- columns: band (0..8), from_s, until_s (null: no upper end), done_count, waiting_count, late_count, amount (reporting currency)
with bands as (
    select * from (values (0, 0, 3600), (1, 3600, 14400), (2, 14400, 43200), (3, 43200, 86400), (4, 86400, 172800), (5, 172800, 345600),
        (6, 345600, 604800), (7, 604800, 1209600), (8, 1209600, null)) v(band, from_s, until_s)
),
-- counted by the hour first, since bands end at whole hours: few rows are left to place
hours as (
    select floor((epoch(coalesce(until_at, $as_of)) - epoch(from_at)) / 3600) * 3600 as hour_s, count(until_at) as done_count, count(*) - count(until_at) as waiting_count,
        count(*) filter (due_at < coalesce(until_at, $as_of)) as late_count, sum(reporting_amount) as amount
    from latencies($start, $stop, $as_of, $days)
    where ($region is null or region = $region)
      and ($product_line is null or product_line = $product_line)
      and ($legal_entity is null or legal_entity = $legal_entity)
    group by hour_s
)
select d.band, d.from_s, d.until_s, coalesce(sum(h.done_count), 0)::bigint as done_count, coalesce(sum(h.waiting_count), 0)::bigint as waiting_count,
    coalesce(sum(h.late_count), 0)::bigint as late_count, coalesce(sum(h.amount), 0)::decimal(18, 2) as amount
from bands d
left join hours h on h.hour_s >= d.from_s and (d.until_s is null or h.hour_s < d.until_s)
group by d.band, d.from_s, d.until_s
order by d.band
