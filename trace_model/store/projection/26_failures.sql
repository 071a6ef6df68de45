-- failures: one row per episode: an operation on one object that has not succeeded, whatever number of attempts it took.
-- Replaced by object_key. The exception is all episodes of one operation and object; a second episode is a regression.
-- Success is a later run of the same operation on the same object, or the milestone that the operation stands for. A milestone in the
-- trace of a failed attempt is no later success: the target booked it, and the integration never heard of it.
with tried as (
    -- a span may speak of one object under several ids: it is one run
    select distinct coalesce(r.object_key, u.mention_key) as object_key, u.* exclude (mention_key)
    from operation_runs u
    join touched_mentions t on t.mention_key = u.mention_key
    left join resolutions r on r.alias_key = u.mention_key
    where u.seq >= $min_object_seq
),
failing as (
    select distinct object_key, operation from tried where is_error
),
successes as (
    select t.object_key, t.operation, t.ended_at as succeeded_at
    from tried t join failing using (object_key, operation)
    where not t.is_error
    union
    select m.object_key, f.operation, m.ended_at
    from failing f
    join cat_operations o on o.operation = f.operation and o.milestone is not null
    join resolved_facts m on m.object_key = f.object_key and m.milestone = o.milestone and m.is_subject
    where not exists (
        from tried t where t.is_error and t.object_key = f.object_key and t.operation = f.operation and t.trace_id = m.trace_id
    )
),
instants as (
    select object_key, operation, ended_at, true as is_error from tried where is_error
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
    from tried t
    join (select distinct object_key, operation, ended_at, resolved_at from resolved where is_error) r
        on r.object_key = t.object_key and r.operation = t.operation and r.ended_at = t.ended_at
    where t.is_error
),
episodes as (
    select
        object_key, operation, resolved_at,
        min(ended_at) as opened_at, max(ended_at) as last_failed_at, count(*) as attempt_count, sum(retry_count)::bigint as retry_count,
        arg_max({
            'system': system, 'dependency': dependency, 'outcome': outcome, 'error_code': error_code, 'exception': exception,
            'http_status': http_status, 'message': message, 'endpoint': endpoint, 'trace_id': trace_id, 'span_id': span_id, 'replay_id': replay_id
        }, (ended_at, trace_id, span_id)) as l
    from attempts
    group by object_key, operation, resolved_at
)
select
    left(md5(concat_ws(chr(31), operation, object_key::varchar)), 16) as exception_id,
    row_number() over (partition by object_key, operation order by opened_at)::integer as episode,
    operation, object_key, o.object_type, o.object_id, l.system, l.dependency, opened_at, last_failed_at, resolved_at,
    attempt_count, retry_count, l.outcome, l.error_code, l.exception, l.http_status, l.message, l.endpoint, l.trace_id, l.span_id, l.replay_id,
    -- what is judged once: everything a verdict depends on, with the digits of the message folded
    md5(concat_ws(chr(31), l.system, operation, coalesce(l.error_code, ''), coalesce(l.exception, ''), coalesce(l.http_status::varchar, ''),
        regexp_replace(left(coalesce(l.message, ''), 2000), '[0-9]+', '#', 'g'))) as signature,
    null::varchar as sentence  -- put in by the projector, from the verdict and this failure's own words
from episodes e join objects_fresh o using (object_key)
