-- spoken_ids (scratch): every id that the touched traces speak of now, or spoke of before; of a bystander only where it is the subject.
-- A span link ties ids that its trace does not speak of itself.
-- $min_seq, $max_seq: the records of the touched traces lie between them.
select mention_key
from object_facts
where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
  and (is_subject or object_type not in (select object_type from bystander_types))
union
select mention_key from span_objects where is_subject or object_type not in (select object_type from bystander_types)
union
select unnest([alias_key, canonical_key]) from alias_facts_fresh
union
select mention_key from linked_ids
union
select child_key from link_facts
where seq between $min_seq and $max_seq and source = 'span_link' and trace_id in (select trace_id from touched_traces)
