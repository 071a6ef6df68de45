-- trace_spans: one row per span of one trace, oldest first: what an engineer looks at.
-- $trace_id varchar (hex); $as_of timestamptz; $limit int
-- columns: as timeline_spans
with asked as (
    select trace_id, first_seq, last_seq from traces where trace_id = try_cast($trace_id as uuid)
)
select replace(s.trace_id::varchar, '-', '') as trace_id, printf('%016x', s.span_id) as span_id, printf('%016x', s.parent_span_id) as parent_span_id,
    s.name, coalesce(n.name, s.service) as system, s.kind, make_timestamptz(s.start_unix_ns // 1000) as started_at, make_timestamptz(s.end_unix_ns // 1000) as ended_at,
    (s.end_unix_ns - s.start_unix_ns) / 1e6 as duration_ms, s.status_code = 2 as is_error, s.status_message, s.attributes, s.events
from spans s
left join cat_system_names n on n.spoken_name = s.service
where s.seq between (select first_seq from asked) and (select last_seq from asked) and s.trace_id in (select trace_id from asked)
  and s.start_unix_ns <= epoch_us($as_of) * 1000
order by s.start_unix_ns, s.span_id
limit $limit
