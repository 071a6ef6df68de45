-- orders: one row per timeline at $as_of under one catalogue, kept as before_orders and after_orders.
-- $as_of timestamptz
select lead_key, lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, state, due_at
from timeline_states($as_of)
