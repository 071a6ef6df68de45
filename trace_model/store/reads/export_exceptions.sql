-- export_exceptions: one row per exception known at $as_of, stuck flows too, with its verdict. Oldest first.
-- $as_of timestamptz; blocked_amount in the reporting currency
select exception_id, group_id, state, kind, class, category, operation, system, dependency, object_type, object_id, lead_type, lead_id, customer_id,
    owner_team, opened_at, last_failed_at, resolved_at_then as resolved_at, attempt_count, error_code, exception, http_status, message, sentence,
    confidence, blocked_amount, replace(trace_id::varchar, '-', '') as trace_id, printf('%016x', span_id) as span_id
from known_exceptions($as_of)
order by opened_at, exception_id
