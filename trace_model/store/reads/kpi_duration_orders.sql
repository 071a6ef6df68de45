-- kpi_duration_orders: one row per order that completed the duration $kpi in week $week before $as_of: the rows behind a point. Longest first.
-- $kpi varchar; $week int or null (any of $weeks); $weeks int; $region, $product_line, $legal_entity varchar or null; $offset, $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, region, product_line, legal_entity, from_at, until_at, duration_s, week, total_count
select lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, region, product_line, legal_entity, from_at, until_at, duration_s, week,
    count(*) over () as total_count
from order_durations($as_of, $weeks, $kpi)
where ($week is null or week = $week)
  and ($region is null or region = $region)
  and ($product_line is null or product_line = $product_line)
  and ($legal_entity is null or legal_entity = $legal_entity)
order by duration_s desc, lead_id
limit $limit offset $offset
