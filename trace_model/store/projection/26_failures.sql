-- failures: one row per episode: an operation on one object that has not succeeded, whatever number of attempts it took.
-- Replaced by object_key. The exception is all episodes of one operation and object; a second episode is a regression.
-- opened_at: when an attempt failed that its engine will not try again, at the latest when the time to give up has passed since
-- first_failed_at. What succeeded before is the engine's own retrying: it opens nothing and has no row (operation_runs has the attempts).
-- Success is a later run of the same operation on the same object, or the milestone that the operation stands for. A milestone in the
-- trace of a failed attempt is no later success: the target booked it, and the integration never heard of it.
with failing as (
    select distinct object_key, operation from failed_runs
),
successes as (
    select object_key, operation, f.ended_at as succeeded_at
    from failing
    join resolved_facts f using (object_key)
    left join cat_operations o using (operation)
    where not f.is_error
      and (f.run_name = operation
           or (f.milestone = o.milestone and (object_key, operation, f.trace_id) not in (select (object_key, operation, trace_id) from failed_runs)))
),
instants as (
    select object_key, operation, ended_at, true as is_error from failed_runs
    union all
    select object_key, operation, succeeded_at, false from successes
),
resolved as (
    select *, min(case when not is_error then ended_at end) over (
        partition by object_key, operation order by ended_at, is_error desc rows between current row and unbounded following
    ) as resolved_at
    from instants
),
attempts as (
    select t.*, r.resolved_at
    from failed_runs t
    join (select distinct object_key, operation, ended_at, resolved_at from resolved where is_error) r
        on r.object_key = t.object_key and r.operation = t.operation and r.ended_at = t.ended_at
),
episodes as (
    select
        object_key, operation, resolved_at,
        min(ended_at) as first_failed_at,
        least(
            min(ended_at) filter (not coalesce(list_contains(k.retry_outcomes, lower(outcome)), false)),
            min(ended_at) + to_seconds(min(coalesce(c.give_up_after_s, k.give_up_after_s)))
        ) as opened_at,
        max(ended_at) as last_failed_at, count(*) as attempt_count, sum(retry_count)::bigint as retry_count,
        arg_max({
            'system': system, 'dependency': dependency, 'outcome': outcome, 'error_code': error_code, 'exception': exception,
            'http_status': http_status, 'message': message, 'endpoint': endpoint, 'signature': signature, 'trace_id': trace_id, 'span_id': span_id, 'replay_id': replay_id
        }, (ended_at, trace_id, span_id)) as l
    from attempts
    cross join cat_settings k
    left join (select operation, give_up_after_s from cat_operations) c using (operation)
    group by object_key, operation, resolved_at
)
select
    left(md5(concat_ws(chr(31), operation, object_key::varchar)), 16) as exception_id,
    row_number() over (partition by object_key, operation order by opened_at)::integer as episode,
    operation, object_key, o.object_type, o.object_id, l.system, l.dependency, opened_at, last_failed_at, resolved_at, first_failed_at,
    attempt_count, retry_count, l.outcome, l.error_code, l.exception, l.http_status, l.message, l.endpoint, l.trace_id, l.span_id, l.replay_id,
    l.signature,
    null::varchar as sentence,  -- put in by the projector, from the verdict and this failure's own words
    lead(opened_at) over (partition by object_key, operation order by opened_at) as next_opened_at,
    min(opened_at) over (partition by object_key, operation) as first_opened_at
from episodes e join objects_fresh o using (object_key)
where resolved_at is null or opened_at <= resolved_at
