-- payload_facts: one row per payload sent at a hop that the catalogue names, and object it is about. Replaced by trace.
-- field_values: what the payload says of each payload field of the catalogue, in its order; what a value means in this system is put in its place.
-- $payload_1 to _4: the attributes that may hold a payload; $payload_attributes: their JSON paths; $payload_paths: the paths that hops read in it.
-- $min_seq, $max_seq: every span of the traces read was recorded between them.
with sent as materialized (
    select s.seq, h.hop, h.path_positions,
        list_filter(json_extract_string(p.attributes, $payload_attributes::varchar[]), lambda x: x is not null)[1] as payload
    from trace_spans s
    join cat_payload_hops h on list_contains(h.operations, s.operation)
    join spans p on p.seq = s.seq
    where p.seq between $min_seq and $max_seq
      and (contains(p.attributes, $payload_1) or contains(p.attributes, $payload_2) or contains(p.attributes, $payload_3) or contains(p.attributes, $payload_4))
),
read as (
    select seq, hop, path_positions, json_extract_string(payload, $payload_paths::varchar[]) as said
    from sent
    where json_valid(payload)
),
fields as (
    select r.seq, r.hop, unnest(path_positions) as path_position, generate_subscripts(path_positions, 1) as field_position, r.said
    from read r
),
meant as (
    select f.seq, f.hop, f.field_position, coalesce(v.means, nullif(trim(f.said[f.path_position]), '')) as value
    from fields f
    left join cat_payload_values v on v.hop = f.hop and v.field_position = f.field_position and v.said = trim(f.said[f.path_position])
)
select s.trace_id, s.span_id, m.seq, o.mention_key, o.object_type, m.hop, s.system, s.ended_at as sent_at, s.is_error,
    coalesce(s.object_version, '1') as object_version, list(m.value order by m.field_position) as field_values
from meant m
join trace_spans s on s.seq = m.seq
join span_objects o on o.seq = m.seq and o.is_subject
group by s.trace_id, s.span_id, m.seq, o.mention_key, o.object_type, m.hop, s.system, s.ended_at, s.is_error, s.object_version
