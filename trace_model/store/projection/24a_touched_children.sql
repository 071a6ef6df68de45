-- touched_children (scratch): every object whose links upward are derived again: touched ones, those that a changed correlation ID
-- may tie, and those whose parent's id stands for another object now.
with stirred as (
    -- a correlation ID of more than 200 objects is a batch and ties nothing; one that was a batch and still is stirs nobody
    select t.correlation_key
    from touched_correlations t
    join object_correlations c using (correlation_key)
    group by t.correlation_key, t.change
    having least(count(*), count(*) - t.change) <= 200
)
select object_key as child_key from touched_objects
union
select object_key from object_correlations semi join stirred using (correlation_key)
union
select coalesce(r.object_key, f.child_key)
from link_facts f
semi join changed_aliases a on a.alias_key = f.parent_key
left join resolutions r on r.alias_key = f.child_key
