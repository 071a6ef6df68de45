-- alias_facts: one row per span that shows an object's own id and its id in another system together. Replaced by trace.
-- object_version: the version of the object that was spoken of, if any was said. Several orders on one span: which number is whose cannot be known, so it says nothing.
with canonical as (
    select seq, object_type, min(mention_key) as canonical_key
    from span_ids
    where role = 'id' and seq in (select seq from span_ids where role = 'alias')
    group by seq, object_type
    having count(distinct mention_key) = 1
)
select distinct s.trace_id, s.span_id, s.seq, a.mention_key as alias_key, c.canonical_key, a.alias_system, a.object_id as alias_id,
    a.scope, s.ended_at as seen_at, s.object_version
from span_ids a
join canonical c using (seq, object_type)
join trace_spans s using (seq)
where a.role = 'alias'
