-- objects: one row per business object, with what was last said of it. Replaced by object_key.
-- The object's own id wins over an alias. Amount, currency and quantity are those of its latest successful subject span, else of its
-- latest; segments and customer likewise, then those of the latest span that mentions it.
-- A bystander has what was first said of it.
with said as (
    select
        object_key,
        min(object_type) as object_type,
        coalesce(min(scope) filter (not is_renamed), min(scope)) as scope,
        arg_min(system, ((via = 'relation')::hugeint * 2 ** 100)::hugeint + epoch_us(started_at)::hugeint * 4294967296 + hash(system) % 4294967296) as system,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        arg_max(amount, standing) as amount,
        coalesce(arg_max(currency, standing) filter (amount is not null), arg_max(currency, standing)) as currency,
        arg_max(quantity, standing) as quantity,
        arg_max(region, standing) filter (via <> 'relation') as region,
        arg_max(product_line, standing) filter (via <> 'relation') as product_line,
        arg_max(legal_entity, standing) filter (via <> 'relation') as legal_entity,
        arg_max(tier, standing) filter (via <> 'relation') as tier,
        arg_max(workflow, standing) filter (via <> 'relation') as workflow,
        arg_max(customer_id, standing) filter (via <> 'relation') as customer_id,
        arg_max(customer_name, standing) filter (via <> 'relation') as customer_name,
        arg_max(object_version, standing) as object_version,
        min(seq) as first_seq
    from resolved_facts
    where object_type not in (select object_type from bystander_types)
    group by object_key
)
select s.object_key, s.object_type, n.object_id, s.* exclude (object_key, object_type)
from said s join object_names n using (object_key)
union all
select
    object_key, min(object_type), min(object_id), min(scope), arg_min(system, (started_at, system)), min(started_at), max(ended_at),
    null, null, null, null, null, null, null, null, min(object_id), max(customer_name), null, min(seq)
from (
    from bystander_facts
    union all by name
    select object_key, object_type, object_id, scope, system, first_seen_at as started_at, last_seen_at as ended_at, customer_name, first_seq as seq
    from objects_before
    where object_type in (select object_type from bystander_types)
)
group by object_key
