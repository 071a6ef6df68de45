-- payload_shapes: one row per payload that an operation of a system with a release (service.version) carried. Replaced by trace.
-- shape: its fields and their types, as json_structure writes them.
-- $payload_1 to _4: the attributes that may hold a payload; $payload_attributes: their JSON paths; $looks_for_drift: whether anybody asks;
-- $min_seq, $max_seq: every span of the traces read was recorded between them.
with sent as (
    select s.seq, s.trace_id, s.span_id, s.operation, s.ended_at as sent_at, s.is_error, p.service, json_extract_string(p.resource, '$."service.version"') as release,
        list_filter(json_extract_string(p.attributes, $payload_attributes::varchar[]), lambda x: x is not null)[1] as payload
    from trace_spans s
    join spans p on p.seq = s.seq
    where $looks_for_drift and s.operation is not null and p.seq between $min_seq and $max_seq and contains(p.resource, '"service.version"')
      and (contains(p.attributes, $payload_1) or contains(p.attributes, $payload_2) or contains(p.attributes, $payload_3) or contains(p.attributes, $payload_4))
)
select trace_id, span_id, seq, coalesce(n.name, s.service) as system, operation, release, sent_at, is_error, json_structure(payload)::varchar as shape
from sent s
left join cat_system_names n on n.spoken_name = s.service
where payload is not null and json_valid(payload) and release is not null
