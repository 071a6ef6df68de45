-- search: one row per object whose id, or id in another system, matches, with a lead object whose timeline holds it.
-- Exact matches first, then prefixes, then substrings; orders first; then by id. Asked by the search box and GET /search.
-- $q varchar, any case; $limit int
-- columns: object_type, object_id, scope (the system or legal entity whose id it is, '' where ids hold everywhere), matched (what was
--   found), lead_type, lead_id, lead_scope, lead_count
with wanted as (
    select lower(trim($q)) as q
),
matching as (
    select o.object_key, o.object_type, o.object_id, o.scope, o.object_id as matched,
        case when lower(o.object_id) = w.q then 0 when starts_with(lower(o.object_id), w.q) then 1 else 2 end as distance
    from objects o, wanted w
    where length(w.q) > 0 and contains(lower(o.object_id), w.q)
    union all
    select r.object_key, o.object_type, o.object_id, o.scope, a.alias_id, case when lower(a.alias_id) = w.q then 0 else 1 end
    from (select distinct alias_key, alias_id from alias_facts) a
    join resolutions r using (alias_key)
    join objects o on o.object_key = r.object_key, wanted w
    where length(w.q) > 0 and starts_with(lower(a.alias_id), w.q)
    union all
    select o.object_key, o.object_type, o.object_id, o.scope, o.customer_name, 3
    from objects o, wanted w
    where length(w.q) > 2 and o.object_type in (select object_type from cat_lead_types) and contains(lower(o.customer_name), w.q)
),
best as (
    select object_key, object_type, object_id, scope, arg_min(matched, distance) as matched, min(distance) as distance
    from matching group by object_key, object_type, object_id, scope
    order by distance, object_type <> 'order', length(object_id), object_id, scope
    limit $limit
)
select b.object_type, b.object_id, b.scope, b.matched, b.distance,
    arg_min(t.lead_type, (t.lead_type <> 'order', t.lead_id)) as lead_type, arg_min(t.lead_id, (t.lead_type <> 'order', t.lead_id)) as lead_id,
    arg_min(t.lead_scope, (t.lead_type <> 'order', t.lead_id)) as lead_scope, count(t.lead_id) as lead_count
from best b
left join timeline_members m on m.object_key = b.object_key
left join timelines t on t.lead_key = m.lead_key
group by b.object_key, b.object_type, b.object_id, b.scope, b.matched, b.distance
order by b.distance, b.object_type <> 'order', length(b.object_id), b.object_id, b.scope
