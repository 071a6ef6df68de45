-- standing: one row per state with count and money at $as_of, and how much of it an open exception holds up: the strips of Today and Orders.
-- $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: state, timeline_count, amount, blocked_count, blocked_amount (with an open exception, each order once), amounts in reporting currency
select state, count(*) as timeline_count, coalesce(sum(reporting_amount), 0)::decimal(18, 2) as amount,
    count(*) filter (open_exception_count > 0) as blocked_count,
    coalesce(sum(reporting_amount) filter (open_exception_count > 0), 0)::decimal(18, 2) as blocked_amount
from timeline_states($as_of)
where ($region is null or region = $region)
  and ($product_line is null or product_line = $product_line)
  and ($legal_entity is null or legal_entity = $legal_entity)
group by state
order by case state when 'breached' then 0 when 'stuck' then 1 when 'at_risk' then 2 when 'on_track' then 3 when 'completed' then 4 else 5 end
