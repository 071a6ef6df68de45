-- operation_runs: one row per run of an operation on one object, with the evidence of its deepest failing span. Replaced by trace.
-- Of the calls that failed inside a run, the one that ended last is its cause: what failed before it, or succeeded when it was called again,
-- is a retry that healed. Of that call's failing spans the deepest speaks, an exception event before a status description.
with recursive failing as materialized (
    select s.*, c.parent_seq, coalesce(c.operation_seq, c.keyed_seq) as above_seq, coalesce(c.operation_depth, c.keyed_depth) as depth
    from trace_spans s join span_context c using (seq)
    where s.is_error and coalesce(c.operation_seq, c.keyed_seq) is not null
),
siblings as materialized (
    select f.seq, f.name, f.ended_at, c.seq as sibling_seq
    from failing f
    join span_context c on c.parent_seq = f.parent_seq
),
called_again as materialized (
    -- the same call under the same span succeeded afterwards
    select distinct b.seq
    from siblings b
    join trace_spans s on s.seq = b.sibling_seq
    where s.name = b.name and not s.is_error and s.started_at >= b.ended_at
),
branches as (
    select f.seq, f.above_seq, f.ended_at as branch_ended_at, f.span_id as branch_span_id
    from failing f
    where f.seq not in (select seq from called_again)
      and (f.parent_seq = f.above_seq or f.parent_seq not in (select seq from failing))
    union
    select f.seq, b.above_seq, b.branch_ended_at, b.branch_span_id
    from branches b
    join failing f on f.parent_seq = b.seq and f.above_seq = b.above_seq
    where f.seq not in (select seq from called_again)
),
causes as (
    select f.*
    from failing f
    join branches b using (seq, above_seq)
    qualify rank() over (partition by f.above_seq order by b.branch_ended_at desc, b.branch_span_id) = 1
),
evidence as (
    select above_seq as seq, bool_or(kind = 3) as is_call,
        arg_max(error_code, (depth, ended_at, span_id)) filter (error_code is not null) as error_code,
        arg_max(http_status, (depth, ended_at, span_id)) filter (http_status is not null) as http_status,
        arg_max(coalesce(thrown_type, error_type), (depth, ended_at, span_id)) filter (coalesce(thrown_type, error_type) is not null) as exception,
        arg_max(thrown_message, (depth, ended_at, span_id)) filter (thrown_message is not null) as thrown_message,
        arg_max(status_message, (depth, ended_at, span_id)) filter (status_message is not null) as status_message,
        arg_max(dependency, (depth, ended_at, span_id)) filter (dependency is not null) as dependency,
        arg_max(endpoint, (depth, ended_at, span_id)) filter (endpoint is not null) as endpoint
    from causes
    group by above_seq
),
calls as (
    select above_seq as seq, count(*) filter (kind = 3) as failed_count,
        arg_max(dependency, (depth, ended_at, span_id)) filter (dependency is not null) as dependency,
        arg_max(endpoint, (depth, ended_at, span_id)) filter (endpoint is not null) as endpoint
    from failing group by above_seq
),
runs as (
    select
        s.trace_id, s.span_id, s.seq, r.run_name as operation, f.mention_key,
        -- a run of the integration is a run against the system it called, else the one its operation is declared for; a flow that went on
        -- though a step of it failed is no run against the system that failed there
        case when i.kind = 'integration' then coalesce(case when s.is_error or a.failed_count > 0 then d.name end, o.system, s.system) else s.system end as system,
        coalesce(e.dependency, a.dependency, s.dependency) as dependency,
        s.started_at, s.ended_at, s.is_error, coalesce(s.attempt, 1) as attempt, s.outcome, s.replay_id,
        -- calls that failed inside a run: one was called again for each, but for the one that failed the run
        greatest(coalesce(a.failed_count, 0) - case when s.is_error and e.is_call then 1 else 0 end, 0) as retry_count,
        case when s.is_error then coalesce(e.error_code, s.error_code) end as error_code,
        case when s.is_error then coalesce(e.exception, s.thrown_type, s.error_type) end as exception,
        case when s.is_error then coalesce(e.http_status, s.http_status) end as http_status,
        case when s.is_error then coalesce(e.thrown_message, s.thrown_message, e.status_message, s.status_message, s.name || ' failed') end as message,
        coalesce(s.endpoint, e.endpoint, a.endpoint) as endpoint
    from span_runs r
    join trace_spans s on s.seq = r.seq
    join span_objects f on f.seq = r.seq and f.is_subject
    left join evidence e on e.seq = r.seq
    left join calls a on a.seq = r.seq
    left join cat_operations o on o.operation = s.operation
    left join cat_systems i on i.name = s.system
    left join cat_system_names d on d.spoken_name = coalesce(e.dependency, a.dependency)
)
select *, case when is_error then failure_signature(system, operation, error_code, exception, http_status, message) end as signature
from runs
