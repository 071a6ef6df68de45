-- timeline_spans: one row per span of the traces that speak of a timeline's own objects (not of what it came from), oldest first.
-- $lead_key ubigint; $as_of timestamptz; $limit int
-- columns: trace_id, span_id, parent_span_id (hex), name, system, kind, started_at, ended_at, duration_ms, is_error, status_message, attributes, events
with mine as (
    select distinct f.trace_id
    from timeline_members m
    join objects o using (object_key)
    join object_facts f on f.mention_key = m.object_key and f.seq >= o.first_seq
    where m.lead_key = $lead_key and f.via <> 'relation'
),
stretch as (
    select min(t.first_seq) as first_seq, max(t.last_seq) as last_seq from traces t join mine using (trace_id)
)
select replace(s.trace_id::varchar, '-', '') as trace_id, printf('%016x', s.span_id) as span_id, printf('%016x', s.parent_span_id) as parent_span_id,
    s.name, coalesce(n.name, s.service) as system, s.kind, make_timestamptz(s.start_unix_ns // 1000) as started_at, make_timestamptz(s.end_unix_ns // 1000) as ended_at,
    (s.end_unix_ns - s.start_unix_ns) / 1e6 as duration_ms, s.status_code = 2 as is_error, s.status_message, s.attributes, s.events
from spans s
left join cat_system_names n on n.spoken_name = s.service, stretch x
where s.seq between x.first_seq and x.last_seq and s.trace_id in (select trace_id from mine)
  and s.start_unix_ns <= epoch_us($as_of) * 1000
order by s.start_unix_ns, s.span_id
limit $limit
