-- operation_runs: one row per run of an operation on one object, with the evidence of its deepest failing span. Replaced by trace.
-- A span that names no operation but carries ids is a run of its own name, unless an operation stands above it.
-- Where a run failed because one inside it failed, and did not succeed there after all, only the innermost is a run that failed.
with candidates as (
    select s.*, coalesce(s.operation, s.name) as run_name,
        coalesce(c.operation_seq, c.keyed_seq) as above_seq, coalesce(c.operation_depth, c.keyed_depth) as depth,
        s.operation is not null or (c.operation_seq is null and s.seq in (select seq from span_ids where is_own)) as is_run
    from trace_spans s left join span_context c on c.seq = s.seq
),
acting as (
    select seq, mention_key from object_facts_fresh where is_subject
),
failed_inside as (
    -- runs whose inner run failed for good
    select distinct above_seq as seq
    from (
        select above_seq, run_name, arg_max(is_error, (ended_at, is_error)) as failed_last
        from candidates
        where is_run and above_seq is not null and seq in (select seq from acting)
        group by above_seq, run_name
    )
    where failed_last
),
evidence as (
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
        select *, json_extract_string(events, '$[#-1].attributes."exception.type"') as thrown_type,
            json_extract_string(events, '$[#-1].attributes."exception.message"') as thrown_message
        from candidates where is_error and above_seq is not null
    )
    group by above_seq
)
select
    r.trace_id, r.span_id, r.seq, r.run_name as operation, f.mention_key,
    -- a run of the integration is a run against the system it called, else the one its operation is declared for
    case when i.kind = 'integration' then coalesce(d.name, o.system, r.system) else r.system end as system,
    coalesce(e.dependency, r.dependency) as dependency,
    r.started_at, r.ended_at, r.is_error, coalesce(r.attempt, 1) as attempt, r.outcome, r.replay_id,
    -- calls that failed inside a run: all are retries but, in a failed run, the first
    greatest(coalesce(e.failed_call_count, 0) - case when r.is_error then 1 else 0 end, 0) as retry_count,
    case when r.is_error then coalesce(r.error_code, e.error_code) end as error_code,
    case when r.is_error then coalesce(e.exception, json_extract_string(r.events, '$[#-1].attributes."exception.type"'), r.error_type) end as exception,
    case when r.is_error then coalesce(r.http_status, e.http_status) end as http_status,
    case when r.is_error then coalesce(
        json_extract_string(r.events, '$[#-1].attributes."exception.message"'), e.message, r.status_message, r.name || ' failed') end as message,
    coalesce(r.endpoint, e.endpoint) as endpoint
from candidates r
join acting f on f.seq = r.seq
left join evidence e on e.seq = r.seq
left join cat_operations o on o.operation = r.operation
left join cat_systems i on i.name = r.system
left join cat_system_names d on d.spoken_name = e.dependency
where r.is_run and not (r.is_error and r.seq in (select seq from failed_inside))
