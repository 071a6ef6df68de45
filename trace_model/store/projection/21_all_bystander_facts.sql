-- bystander_facts (scratch view, rebuild): all that was said of bystanders, as in 21_bystander_facts.
select mention_key as object_key, object_type, object_id, scope, system, started_at, ended_at, customer_name, seq
from object_facts
where object_type in (select object_type from bystander_types)
