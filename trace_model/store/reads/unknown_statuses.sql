-- unknown_statuses: one row per open exception at $as_of of which nobody knows whether it happened: a write that no answer came to, and whose target
-- has not said. Most money first, then by id.
-- $before timestamptz (last tried by then); $as_of timestamptz; columns: exception_id, system, operation, object_type, object_id, last_failed_at
select exception_id, system, operation, object_type, object_id, last_failed_at
from open_failures($as_of)
where kind = 'unknown_status' and last_failed_at <= $before
order by blocked_amount desc nulls last, exception_id
