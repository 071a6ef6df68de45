-- export_timelines: one row per timeline that has started at $as_of, with its state then. By lead type and id.
-- $as_of timestamptz; amounts in `currency`, reporting_amount in the reporting currency
select lead_type, lead_id, state, customer_id, customer_name, amount, currency, reporting_amount, quantity, region, product_line, legal_entity, tier,
    workflow, started_at, last_progress_at, case when completed_at <= $as_of then completed_at end as completed_at,
    case when cancelled_at <= $as_of then cancelled_at end as cancelled_at, due_at, promise, open_exception_count
from timeline_states($as_of)
order by lead_type, lead_id, started_at
