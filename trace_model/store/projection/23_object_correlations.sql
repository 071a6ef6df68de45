-- object_correlations: one row per object and correlation ID it was seen with. Replaced by object_key.
select distinct f.object_key, o.object_type, f.correlation_key
from resolved_facts f join objects_fresh o using (object_key)
where f.correlation_key is not null and f.via <> 'relation'
