-- export_events: one row per span of a system that ran an operation on an object or reached a milestone, by time: what an
-- export calls an event. At most one stretch of records.
-- $after_seq, $until_seq bigint; $as_of timestamptz
-- columns: trace_id, span_id (hex), event_type (the operation, else the milestone), start_unix_ns, duration_ms, system, milestone, is_error, error_code,
--   exception, objects (struct list: object_type, object_id, scope, qualifier), in a fixed order
with live as (
    select seq, trace_id, span_id, start_unix_ns, end_unix_ns, status_code = 2 as is_error
    from spans
    where seq > $after_seq and seq <= $until_seq and scope is distinct from 'cashtrail.ocel'
      and start_unix_ns <= epoch_us($as_of::timestamptz) * 1000
),
runs as (
    select trace_id, span_id, min(operation) as operation, min(system) as system, max(error_code) as error_code, max(exception) as exception
    from operation_runs
    where seq > $after_seq and seq <= $until_seq
    group by trace_id, span_id
),
mentions as (
    select f.trace_id, f.span_id, min(f.milestone) as milestone, min(f.system) as system,
        list({
            'object_type': o.object_type, 'object_id': o.object_id, 'scope': o.scope,
            'qualifier': case when f.is_subject then 'subject' when f.via = 'relation' then 'parent' else 'mentioned' end
        } order by f.is_subject desc, o.object_type, o.object_id, o.scope) as objects
    from object_facts f
    left join resolutions r on r.alias_key = f.mention_key
    join objects o on o.object_key = coalesce(r.object_key, f.mention_key)
    where f.seq > $after_seq and f.seq <= $until_seq
    group by f.trace_id, f.span_id
)
select replace(l.trace_id::varchar, '-', '') as trace_id, printf('%016x', l.span_id) as span_id, coalesce(r.operation, m.milestone) as event_type,
    l.start_unix_ns, (l.end_unix_ns - l.start_unix_ns) / 1e6 as duration_ms, coalesce(r.system, m.system) as system, m.milestone, l.is_error,
    r.error_code, r.exception, m.objects
from live l
join mentions m on m.trace_id = l.trace_id and m.span_id = l.span_id
left join runs r on r.trace_id = l.trace_id and r.span_id = l.span_id
where coalesce(r.operation, m.milestone) is not null
order by l.start_unix_ns, l.trace_id, l.span_id
