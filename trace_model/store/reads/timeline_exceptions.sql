-- timeline_exceptions: one row per exception on an object of a timeline, and one per time that the timeline was stuck. Open ones first, latest first.
-- $lead_key ubigint; $as_of timestamptz
-- A stuck flow has no trace; runbook: the owner's; replayable: as its operation is declared.
with found as (
    from known_failures($as_of) where object_key in (select object_key from timeline_members where lead_key = $lead_key)
    union all by name
    from stuck_flows($as_of, only_lead := $lead_key)
)
select f.exception_id, f.group_id, f.kind, f.class, f.category, f.operation, coalesce(o.label, f.operation) as operation_label, f.system, f.object_type, f.object_id, f.first_failed_at, f.opened_at, f.last_failed_at,
    f.resolved_at_then as resolved_at, f.attempt_count, f.episode, f.state, f.sentence, f.error_code, f.http_status, f.message, f.confidence, f.rule, f.facts,
    f.owner_team, f.owner_person, f.outage_id, f.transient, f.outcome, f.ended_with, t.runbook, coalesce(o.replayable, true) as replayable,
    replace(f.trace_id::varchar, '-', '') as trace_id, case when f.span_id is not null then printf('%016x', f.span_id) end as span_id
from found f
left join cat_operations o on o.operation = f.operation
left join cat_teams t on t.team = f.owner_team
order by f.state = 'resolved', f.last_failed_at desc, f.exception_id
