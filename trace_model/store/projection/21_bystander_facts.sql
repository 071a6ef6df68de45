-- bystander_facts (scratch): what the touched traces say of bystanders: objects that join no timeline and have one id only, as a
-- customer. They stand beside everything, so they keep the first that was said of them and are not derived from all of it again.
select o.mention_key as object_key, o.object_type, o.object_id, o.scope, s.system, s.started_at, s.ended_at, s.customer_name, o.seq
from span_objects o
join trace_spans s using (seq)
where o.object_type in (select object_type from bystander_types)
