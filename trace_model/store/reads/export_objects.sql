-- export_objects: one row per object that a system spoke of until $as_of (not one that only a loaded event log knows). By type, id and scope.
-- $as_of timestamptz
-- columns: object_type, object_id, scope, first_seen_at, system, amount, currency, quantity, region, product_line, legal_entity, tier, workflow,
--   customer_id, customer_name, id_count (objects with this id), type_count (objects of this type with this id)
with spoken as (
    select distinct coalesce(r.object_key, f.mention_key) as object_key
    from object_facts f
    left join resolutions r on r.alias_key = f.mention_key
    where f.seq in (select seq from spans where scope is distinct from 'cashtrail.ocel')
)
select object_type, object_id, scope, first_seen_at, system, amount, currency, quantity, region, product_line, legal_entity, tier, workflow,
    customer_id, customer_name,
    count(*) over (partition by object_id) as id_count, count(*) over (partition by object_type, object_id) as type_count
from objects semi join spoken using (object_key)
where first_seen_at <= $as_of
order by object_type, object_id, scope
