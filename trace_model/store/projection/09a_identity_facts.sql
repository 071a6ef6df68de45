-- identity_facts: one row per span and identity of the object that it is about: what must be that object's alone (a customer's tax registration).
-- Replaced by trace. value: of all the identity's attributes, letters and digits only; a span that does not say one of them says nothing.
-- $identity_paths: the JSON paths that identities are read from; $min_seq, $max_seq: every span of the traces read was recorded between them.
with said as (
    select o.seq, o.mention_key, o.object_type, json_extract_string(p.attributes, $identity_paths::varchar[]) as said
    from span_objects o
    join spans p on p.seq = o.seq
    where o.is_subject and o.object_type in (select object_type from cat_identities) and p.seq between $min_seq and $max_seq
),
meant as (
    select s.seq, s.mention_key, s.object_type, i.identity,
        list_transform(i.path_positions, lambda n: regexp_replace(lower(strip_accents(coalesce(s.said[n], ''))), '[^\p{L}\p{N}]+', '', 'g')) as words
    from said s
    join cat_identities i using (object_type)
)
select s.trace_id, s.span_id, m.seq, m.mention_key, m.object_type, m.identity, array_to_string(m.words, ' ') as value, s.ended_at as seen_at
from meant m
join trace_spans s on s.seq = m.seq
where not list_contains(m.words, '')
