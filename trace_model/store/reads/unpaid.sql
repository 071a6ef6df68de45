-- unpaid: one row per order invoiced and not yet (fully) paid at $as_of: ageing of receivables. Largest unpaid amount first.
-- $region, $product_line, $legal_entity varchar or null; $from_s, $until_s double or null (age at least, and under); $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, unpaid_amount (reporting currency), invoiced_at, age_s, due_at, state, coverage,
--   total_count, total_unpaid
select *, count(*) over () as total_count, sum(unpaid_amount) over () as total_unpaid
from unpaid_orders($as_of)
where ($region is null or region = $region)
  and ($product_line is null or product_line = $product_line)
  and ($legal_entity is null or legal_entity = $legal_entity)
  and ($from_s is null or age_s >= $from_s) and ($until_s is null or age_s < $until_s)
order by unpaid_amount desc, lead_id
limit $limit
