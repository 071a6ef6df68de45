-- timeline_exceptions: one row per exception on an object of a timeline, open ones first, latest first.
-- $lead_key ubigint; $as_of timestamptz
select f.exception_id, f.group_id, f.kind, f.class, f.category, f.operation, coalesce(o.label, f.operation) as operation_label, f.system, f.object_type, f.object_id, f.first_failed_at, f.opened_at, f.last_failed_at,
    f.resolved_at_then as resolved_at, f.attempt_count, f.episode, f.state, f.sentence, f.error_code, f.http_status, f.message, f.confidence, f.rule, f.facts,
    f.owner_team, f.owner_person, f.outage_id, f.transient, f.outcome, replace(f.trace_id::varchar, '-', '') as trace_id, printf('%016x', f.span_id) as span_id
from known_failures($as_of) f
left join cat_operations o on o.operation = f.operation
where f.object_key in (select object_key from timeline_members where lead_key = $lead_key)
order by f.state = 'resolved', f.last_failed_at desc, f.exception_id
