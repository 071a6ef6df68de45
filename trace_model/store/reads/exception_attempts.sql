-- exception_attempts: one row per run of an exception's operation on its object until $as_of, successes too, oldest first.
-- $exception_id varchar; $as_of timestamptz
-- columns: started_at, ended_at, duration_ms, attempt, outcome, is_error, system, dependency, endpoint, http_status, error_code, exception, message,
--   retry_count (calls made again inside the run), replay_id, trace_id, span_id (hex)
with subject as (
    select operation, object_key, min(first_failed_at) as first_failed_at from failures where exception_id = $exception_id group by operation, object_key
),
mentions as (
    select object_key as mention_key from subject
    union
    select r.alias_key from resolutions r semi join subject s on s.object_key = r.object_key
)
select distinct u.started_at, u.ended_at, epoch_ms(u.ended_at) - epoch_ms(u.started_at) as duration_ms, u.attempt, u.outcome, u.is_error, u.system,
    u.dependency, u.endpoint, u.http_status, u.error_code, u.exception, u.message, u.retry_count, u.replay_id,
    replace(u.trace_id::varchar, '-', '') as trace_id, printf('%016x', u.span_id) as span_id
from operation_runs u
join subject s on s.operation = u.operation
semi join mentions m on m.mention_key = u.mention_key
where u.ended_at <= $as_of
order by u.ended_at, span_id
