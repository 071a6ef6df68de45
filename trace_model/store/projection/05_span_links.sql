-- span_links: one row per OpenTelemetry span link. Replaced by trace.
with unpacked as (
    select trace_id, span_id, seq, unnest(from_json(links, '["json"]')) as link
    from trace_spans
    where links is not null
)
select trace_id, span_id, seq,
    try_cast(link->>'trace_id' as uuid) as linked_trace_id,
    try_cast('0x' || (link->>'span_id') as ubigint) as linked_span_id
from unpacked
where linked_trace_id is not null and linked_span_id is not null and trace_id in (select trace_id from touched_traces)
