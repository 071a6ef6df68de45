-- payload_lineage: one row per payload that was sent at a declared hop for an object of a timeline until $as_of, in the order of the flow.
-- $lead_key ubigint; $as_of timestamptz
-- columns: hop, label, object_type, object_id, system, operation, object_version, sent_at, is_error, trace_id, span_id (hex), payload (as redacted at
--   the door), compared (JSON list of field, label, from_value, to_value, state (same, different, corrected, unknown); null: nothing before it), is_different, from_hop, from_label,
--   from_trace_id, from_span_id (hex): the payload it was compared with. Ordered by hop, then by when it was sent.
with mentions as (
    select m.object_key, m.object_key as mention_key from timeline_members m where m.lead_key = $lead_key
    union
    select r.object_key, r.alias_key from timeline_members m join resolutions r on r.object_key = m.object_key where m.lead_key = $lead_key
),
sent as (
    select f.*, m.object_key from payload_facts f join mentions m on m.mention_key = f.mention_key where f.sent_at <= $as_of
),
stretch as (
    select min(seq) as first_seq, max(seq) as last_seq from sent
),
compared as (
    select c.trace_id, c.span_id, c.object_key, c.is_different, c.from_hop, c.from_trace_id, c.from_span_id,
        to_json(list_transform(c.fields, lambda x: {'field': x.field, 'from_value': x.from_value, 'to_value': x.to_value, 'state': x.state}))::varchar as compared
    from payload_comparisons c where c.lead_key = $lead_key
)
select f.hop, h.label, f.object_type, o.object_id, f.system, coalesce(json_extract_string(s.attributes, '$."q2c.operation"'), s.name) as operation,
    f.object_version, f.sent_at, f.is_error, replace(f.trace_id::varchar, '-', '') as trace_id, printf('%016x', f.span_id) as span_id,
    json_extract_string(s.attributes, '$."q2c.payload"') as payload, c.compared, coalesce(c.is_different, false) as is_different,
    c.from_hop, p.label as from_label, replace(c.from_trace_id::varchar, '-', '') as from_trace_id,
    case when c.from_span_id is not null then printf('%016x', c.from_span_id) end as from_span_id
from stretch x
join spans s on s.seq between x.first_seq and x.last_seq
join sent f on f.seq = s.seq
join cat_payload_hops h on h.hop = f.hop
join objects o on o.object_key = f.object_key
left join compared c on c.trace_id = f.trace_id and c.span_id = f.span_id and c.object_key = f.object_key
left join cat_payload_hops p on p.hop = c.from_hop
order by h.position, f.sent_at, f.span_id, o.object_id
