-- operation_runs: one row per run of an operation on one object, with the evidence of its deepest failing span. Replaced by trace.
with evidence as (
    -- what the failing spans below a run say of the cause; the deepest that says it wins, then the latest
    select above_seq as seq,
        arg_max(error_code, (depth, ended_at, span_id)) filter (error_code is not null) as error_code,
        arg_max(http_status, (depth, ended_at, span_id)) filter (http_status is not null) as http_status,
        arg_max(coalesce(thrown_type, error_type), (depth, ended_at, span_id)) filter (coalesce(thrown_type, error_type) is not null) as exception,
        arg_max(coalesce(thrown_message, status_message), (depth, ended_at, span_id)) filter (coalesce(thrown_message, status_message) is not null) as message,
        arg_max(dependency, (depth, ended_at, span_id)) filter (dependency is not null) as dependency,
        arg_max(endpoint, (depth, ended_at, span_id)) filter (endpoint is not null) as endpoint,
        count(*) filter (kind = 3) as failed_call_count
    from (
        select s.*, coalesce(c.operation_seq, c.keyed_seq) as above_seq, coalesce(c.operation_depth, c.keyed_depth) as depth
        from trace_spans s join span_context c using (seq)
        where s.is_error
    )
    where above_seq is not null
    group by above_seq
)
select
    s.trace_id, s.span_id, s.seq, r.run_name as operation, f.mention_key,
    -- a run of the integration is a run against the system it called, else the one its operation is declared for
    case when i.kind = 'integration' then coalesce(d.name, o.system, s.system) else s.system end as system,
    coalesce(e.dependency, s.dependency) as dependency,
    s.started_at, s.ended_at, s.is_error, coalesce(s.attempt, 1) as attempt, s.outcome, s.replay_id,
    -- calls that failed inside a run: all are retries but, in a failed run, the first
    greatest(coalesce(e.failed_call_count, 0) - case when s.is_error then 1 else 0 end, 0) as retry_count,
    case when s.is_error then coalesce(s.error_code, e.error_code) end as error_code,
    case when s.is_error then coalesce(e.exception, s.thrown_type, s.error_type) end as exception,
    case when s.is_error then coalesce(s.http_status, e.http_status) end as http_status,
    case when s.is_error then coalesce(s.thrown_message, e.message, s.status_message, s.name || ' failed') end as message,
    coalesce(s.endpoint, e.endpoint) as endpoint
from span_runs r
join trace_spans s on s.seq = r.seq
join span_objects f on f.seq = r.seq and f.is_subject
left join evidence e on e.seq = r.seq
left join cat_operations o on o.operation = s.operation
left join cat_systems i on i.name = s.system
left join cat_system_names d on d.spoken_name = e.dependency
