-- object_correlations: one row per object and correlation ID it was seen with. Replaced by object_key.
select distinct object_key, object_type, correlation_key
from resolved_facts
where correlation_key is not null and via <> 'relation' and object_type in (select object_type from cat_object_types where traversed)
