-- object_names (scratch): one row per touched object and its own id, from wherever it is cheapest to learn.
with told as (
    select object_key, object_id from objects_before
    union
    select mention_key, object_id from span_objects
),
untold as (
    -- an id that stood for another object until now
    select distinct object_key from resolved_facts anti join told using (object_key)
)
from told
union all
select mention_key, min(object_id) from object_facts where mention_key in (select object_key from untold) group by mention_key
