-- unpaid_ageing: one row per band of age of orders invoiced and not (fully) paid at $as_of. Youngest first.
-- $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: band (0..5), from_s, until_s (null: no upper end), order_count, unpaid_amount (reporting currency)
with bands as (
    select * from (values (0, 0, 604800), (1, 604800, 1209600), (2, 1209600, 2592000), (3, 2592000, 5184000), (4, 5184000, 7776000), (5, 7776000, null)) v(band, from_s, until_s)
),
owed as (
    select age_s, unpaid_amount from unpaid_orders($as_of)
    where ($region is null or region = $region)
      and ($product_line is null or product_line = $product_line)
      and ($legal_entity is null or legal_entity = $legal_entity)
)
select d.band, d.from_s, d.until_s, count(o.age_s) as order_count, coalesce(sum(o.unpaid_amount), 0)::decimal(18, 2) as unpaid_amount
from bands d
left join owed o on o.age_s >= d.from_s and (d.until_s is null or o.age_s < d.until_s)
group by d.band, d.from_s, d.until_s
order by d.band
