-- process_deviations: one row per way in which paths are not the declared one, most orders first.
-- $days int; $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: kind (out_of_order: milestone before other, which is declared first; skipped: milestone missing though other was reached),
--   milestone, other (null where skipped: any later one), order_count, amount (reporting currency)
select d.kind, d.milestone, case when d.kind = 'out_of_order' then d.other end as other, count(*) as order_count, sum(t.reporting_amount) as amount
from order_deviations($as_of, $days, $region, $product_line, $legal_entity) d
join timelines t using (lead_key)
group by all
order by order_count desc, d.kind, d.milestone, other
