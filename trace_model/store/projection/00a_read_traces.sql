-- read_traces (scratch): the touched traces, and the traces that their span links point to: read along, not replaced.
with pointed as (
    select distinct try_cast(k.link->>'trace_id' as uuid) as trace_id
    from (
        select unnest(from_json(links, '["json"]')) as link
        from spans
        where links is not null and seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
    ) k
)
select trace_id, first_seq, last_seq, false as is_context from touched_traces
union all
select t.trace_id, t.first_seq, t.last_seq, true
from traces t semi join pointed using (trace_id) anti join touched_traces using (trace_id)
