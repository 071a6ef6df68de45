-- operation_runs: one row per run of an operation on one object, with the evidence of its deepest failing span. Replaced by trace.
-- A span that names no operation but carries ids is a run of its own name, unless an operation stands above it.
-- Where an operation failed because one inside it failed, only the innermost is a run that failed.
with candidates as (
    select s.*, c.operation_span_id, coalesce(c.depth, 0) as depth
    from trace_spans s left join span_context c using (trace_id, span_id)
),
evidence as (
    -- what the failing spans below an operation say of the cause; the deepest that says it wins, then the latest
    select trace_id, operation_span_id as span_id,
        arg_max(error_code, (depth, ended_at)) filter (error_code is not null) as error_code,
        arg_max(http_status, (depth, ended_at)) filter (http_status is not null) as http_status,
        arg_max(coalesce(thrown.type, error_type), (depth, ended_at)) filter (coalesce(thrown.type, error_type) is not null) as exception,
        arg_max(coalesce(thrown.message, status_message), (depth, ended_at)) filter (coalesce(thrown.message, status_message) is not null) as message,
        arg_max(dependency, (depth, ended_at)) filter (dependency is not null) as dependency,
        arg_max(endpoint, (depth, ended_at)) filter (endpoint is not null) as endpoint,
        count(*) filter (kind = 3) as failed_call_count,
        bool_or(operation is not null) as has_failed_operation
    from (
        select *, {
            'type': json_extract_string(events, '$[#-1].attributes."exception.type"'),
            'message': json_extract_string(events, '$[#-1].attributes."exception.message"')
        } as thrown
        from candidates where is_error and operation_span_id is not null
    )
    group by trace_id, operation_span_id
),
runs as (
    select c.*, e.* exclude (trace_id, span_id, error_code, http_status, exception, message, dependency, endpoint),
        e.error_code as below_code, e.http_status as below_status, e.exception as below_exception, e.message as below_message,
        e.dependency as below_dependency, e.endpoint as below_endpoint
    from candidates c left join evidence e using (trace_id, span_id)
    where (c.operation is not null or c.operation_span_id is null)
      and not (c.is_error and coalesce(e.has_failed_operation, false))
)
select
    r.trace_id, r.span_id, r.seq, coalesce(r.operation, r.name) as operation, f.mention_key,
    -- a run of the integration is a run against the system it called, else the one its operation is declared for
    case when i.kind = 'integration' then coalesce(d.name, o.system, r.system) else r.system end as system,
    coalesce(r.below_dependency, r.dependency) as dependency,
    r.started_at, r.ended_at, r.is_error, coalesce(r.attempt, 1) as attempt, r.outcome, r.replay_id,
    -- calls that failed inside a run: all are retries but, in a failed run, the first
    greatest(coalesce(r.failed_call_count, 0) - case when r.is_error then 1 else 0 end, 0) as retry_count,
    case when r.is_error then coalesce(r.error_code, r.below_code) end as error_code,
    case when r.is_error then coalesce(r.below_exception, json_extract_string(r.events, '$[#-1].attributes."exception.type"'), r.error_type) end as exception,
    case when r.is_error then coalesce(r.http_status, r.below_status) end as http_status,
    case when r.is_error then coalesce(
        json_extract_string(r.events, '$[#-1].attributes."exception.message"'), r.below_message, r.status_message, r.name || ' failed') end as message,
    coalesce(r.endpoint, r.below_endpoint) as endpoint
from runs r
join object_facts_fresh f on f.trace_id = r.trace_id and f.span_id = r.span_id and f.is_subject
left join cat_operations o on o.operation = r.operation
left join cat_systems i on i.name = r.system
left join cat_system_names d on d.spoken_name = r.below_dependency
