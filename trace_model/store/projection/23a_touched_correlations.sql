-- touched_correlations (scratch): correlation IDs that gained or lost an object, and by how many. Who is on a correlation ID
-- decides what it ties; more said of the same objects does not.
with before as (
    select object_key, correlation_key from object_correlations semi join touched_objects using (object_key)
),
after as (
    select object_key, correlation_key from object_correlations_fresh
)
select correlation_key, sum(change)::bigint as change
from (
    select correlation_key, 1 as change from (from after except from before)
    union all
    select correlation_key, -1 from (from before except from after)
)
group by correlation_key
