-- correlated_links (scratch): one row per touched child that nothing else ties and possible parent on one of its correlation IDs.
-- ties: the correlation ID has exactly one such parent and at most one lead object, and no more than 200 objects. Else it is a
-- batch, and a batch ties nothing.
with untied as (
    select o.object_key, o.object_type, o.first_seen_at
    from objects o
    semi join touched_children t on t.child_key = o.object_key
    where o.object_type in (select child_type from cat_relations where kind = 'part_of')
      and o.object_key not in (select child_key from said_links where kind = 'part_of')
),
shared as (
    select distinct correlation_key from object_correlations semi join untied using (object_key)
),
present as (
    select c.*, count(*) over (partition by correlation_key) as object_count,
        count(*) over (partition by correlation_key, object_type) as of_type,
        count(*) filter (object_type in (select object_type from cat_lead_types where preference = 0)) over (partition by correlation_key) as lead_count
    from object_correlations c semi join shared using (correlation_key)
)
select u.object_key as child_key, u.object_type as child_type, p.object_key as parent_key, p.object_type as parent_type,
    u.first_seen_at as seen_at, r.position, p.of_type = 1 and p.lead_count <= 1 and p.object_count <= 200 as ties
from untied u
join present c on c.object_key = u.object_key
join cat_relations r on r.child_type = u.object_type and r.kind = 'part_of'
join present p on p.correlation_key = c.correlation_key and p.object_type = r.parent_type and p.object_key <> u.object_key
-- of a batch, one possible parent is enough to know that it is one
qualify p.object_count <= 200 or row_number() over (partition by u.object_key, r.position order by p.object_key) = 1
