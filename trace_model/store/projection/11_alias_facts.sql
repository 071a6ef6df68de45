-- alias_facts: one row per span that shows an object's own id and its id in another system together. Replaced by trace.
select a.trace_id, a.span_id, s.seq, a.mention_key as alias_key, i.mention_key as canonical_key, a.alias_system, a.object_id as alias_id
from span_ids a
join span_ids i on i.trace_id = a.trace_id and i.span_id = a.span_id and i.role = 'id' and i.object_type = a.object_type
join trace_spans s on s.trace_id = a.trace_id and s.span_id = a.span_id
where a.role = 'alias'
  -- several orders on one span: which is whose cannot be known
  and (select count(*) from span_ids n where n.trace_id = a.trace_id and n.span_id = a.span_id and n.role = 'id' and n.object_type = a.object_type) = 1
