-- trace_stitching: one row per trace, system, hour (UTC) and kind of evidence that ties its spans to an object. Replaced by trace.
-- evidence: id, alias, parent (inherited), none. Spans with evidence 'none' and a correlation key may still be tied by correlation at read.
select s.trace_id, min(s.seq) as seq, s.system, date_trunc('hour', s.started_at) as hour,
    case when i.best = 1 then 'id' when i.best = 2 then 'alias' when c.keyed_seq is not null then 'parent' else 'none' end as evidence,
    case when i.best is null and c.keyed_seq is null then s.correlation_key end as correlation_key,
    count(*) as span_count
from trace_spans s
left join (
    select seq, min(case role when 'id' then 1 else 2 end) as best
    from span_ids where role <> 'relation' group by seq
) i on i.seq = s.seq
left join span_context c on c.seq = s.seq
group by s.trace_id, s.system, date_trunc('hour', s.started_at), evidence,
    case when i.best is null and c.keyed_seq is null then s.correlation_key end
