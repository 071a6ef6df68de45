-- exception_payloads: at most two rows: the payload that failed last, and the latest before it that the same operation got through at the same
-- system, for any object; of a drift, the first that showed it, and the latest of the release before. The failed one first.
-- $exception_id varchar; $as_of timestamptz
-- columns: is_error, object_type, object_id, sent_at, payload (as redacted at the door), trace_id, span_id (hex)
with failed as (
    select f.operation, f.system, f.trace_id, f.span_id, f.last_failed_at, f.object_type, f.object_id, t.first_seq, t.last_seq
    from failures f join traces t using (trace_id)
    where f.exception_id = $exception_id and f.opened_at <= $as_of
    qualify row_number() over (order by f.episode desc) = 1
),
sent as (
    select true as is_error, f.object_type, f.object_id, make_timestamptz(s.end_unix_ns // 1000) as sent_at, s.attributes, s.trace_id, s.span_id
    from failed f join spans s on s.trace_id = f.trace_id and s.span_id = f.span_id
    where s.seq between (select first_seq from failed) and (select last_seq from failed)
),
good as (
    select u.seq, u.mention_key, u.ended_at as sent_at, u.trace_id, u.span_id
    from operation_runs u
    join failed f on f.operation = u.operation and f.system = u.system and u.ended_at < f.last_failed_at
    where not u.is_error
    qualify row_number() over (order by u.ended_at desc, u.span_id, u.mention_key) = 1
    union all
    (select p.seq, o.mention_key, p.sent_at, p.trace_id, p.span_id
     from schema_drifts d
     join failed f on f.operation = 'check.schema_drift' and f.trace_id = d.trace_id and f.span_id = d.span_id
     join payload_shapes p on p.system = d.system and p.operation = d.operation and p.release = d.release_before and p.sent_at < d.first_sent_at and not p.is_error
     left join object_facts o on o.seq = p.seq and o.is_subject
     order by p.sent_at desc, p.span_id, o.mention_key limit 1)
)
select is_error, object_type, object_id, sent_at, json_extract_string(attributes, '$."q2c.payload"') as payload,
    replace(trace_id::varchar, '-', '') as trace_id, printf('%016x', span_id) as span_id
from sent
where json_extract_string(attributes, '$."q2c.payload"') is not null
union all
select false, o.object_type, o.object_id, g.sent_at, json_extract_string(s.attributes, '$."q2c.payload"'), replace(g.trace_id::varchar, '-', ''),
    printf('%016x', g.span_id)
from good g
join spans s on s.seq = g.seq
left join resolutions r on r.alias_key = g.mention_key
left join objects o on o.object_key = coalesce(r.object_key, g.mention_key)
where json_extract_string(s.attributes, '$."q2c.payload"') is not null
order by is_error desc
