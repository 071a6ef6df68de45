-- unbilled_ageing: one row per band of age of orders accepted and not (fully) invoiced at $as_of. Youngest first.
-- $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: band (0..5), from_s, until_s (null: no upper end), order_count, unbilled_amount (reporting currency)
with bands as (
    select * from (values (0, 0, 86400), (1, 86400, 259200), (2, 259200, 604800), (3, 604800, 1209600), (4, 1209600, 2592000), (5, 2592000, null)) v(band, from_s, until_s)
),
open as (
    select epoch($as_of::timestamptz) - epoch(a.reached_at) as age_s, greatest(t.reporting_amount - coalesce(i.covered_amount * r.rate, 0), 0) as unbilled_amount
    from timelines t
    join timeline_milestones a on a.lead_key = t.lead_key and a.milestone = 'order_accepted' and a.reached_at <= $as_of
    left join timeline_milestones i on i.lead_key = t.lead_key and i.milestone = 'invoice_issued' and i.reached_at <= $as_of
    left join cat_rates r on r.currency = t.currency
    where coalesce(t.completed_at > $as_of, true) and coalesce(t.cancelled_at > $as_of, true) and coalesce(i.coverage, 'none') in ('none', 'partial')
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
)
select d.band, d.from_s, d.until_s, count(o.age_s) as order_count, coalesce(sum(o.unbilled_amount), 0)::decimal(18, 2) as unbilled_amount
from bands d
left join open o on o.age_s >= d.from_s and (d.until_s is null or o.age_s < d.until_s)
group by d.band, d.from_s, d.until_s
order by d.band
