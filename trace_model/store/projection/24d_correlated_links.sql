-- correlated_links (scratch): one row per untied child and possible parent on one of its correlation IDs.
-- ties: the correlation ID has exactly one such parent and at most one lead object, and no more than 200 objects. Else it is a
-- batch, and a batch ties nothing.
with present as (
    select c.*, count(*) over (partition by correlation_key) as object_count,
        count(*) over (partition by correlation_key, object_type) as of_type,
        count(case when object_type in (select object_type from cat_lead_types where preference = 0) then 1 end) over (partition by correlation_key) as lead_count
    from object_correlations c
    where c.correlation_key in (select correlation_key from untied_children)
)
select u.object_key as child_key, u.object_type as child_type, p.object_key as parent_key, p.object_type as parent_type,
    o.first_seen_at as seen_at, r.position, p.of_type = 1 and p.lead_count <= 1 and p.object_count <= 200 as ties
from untied_children u
join cat_relations r on r.child_type = u.object_type and r.kind = 'part_of'
join present p on p.correlation_key = u.correlation_key and p.object_type = r.parent_type and p.object_key <> u.object_key
join (from objects where object_key in (select object_key from untied_children)) o on o.object_key = u.object_key
-- of a batch, one possible parent is enough to know that it is one
qualify p.object_count <= 200 or row_number() over (partition by u.object_key, r.position order by p.object_key) = 1
