-- process_deviations: one row per way in which paths are not the declared one, most orders first.
-- $days int; $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: kind (out_of_order: milestone before other, which is declared first; skipped: milestone passed over by a later one), milestone,
--   other (null where skipped: any later one), order_count, amount (reporting currency), deviating_count (orders that deviate in any way)
with deviating as (
    from order_deviations($as_of, $days, $region, $product_line, $legal_entity)
)
select d.kind, d.milestone, case when d.kind = 'out_of_order' then d.other end as other, count(*) as order_count, sum(d.reporting_amount) as amount,
    (select count(distinct lead_key) from deviating) as deviating_count
from deviating d
group by all
order by order_count desc, d.kind, d.milestone, other
