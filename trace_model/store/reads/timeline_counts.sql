-- timeline_counts: one row per state with count and amount at $as_of; the strip above the order list and on Today.
-- $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: state, timeline_count, amount (reporting currency)
select state, count(*) as timeline_count, coalesce(sum(reporting_amount), 0)::decimal(18, 2) as amount,
    count(*) filter (open_exception_count > 0) as with_exception_count
from timeline_states($as_of)
where ($region is null or region = $region)
  and ($product_line is null or product_line = $product_line)
  and ($legal_entity is null or legal_entity = $legal_entity)
group by state
order by case state when 'breached' then 0 when 'stuck' then 1 when 'at_risk' then 2 when 'on_track' then 3 when 'completed' then 4 else 5 end
