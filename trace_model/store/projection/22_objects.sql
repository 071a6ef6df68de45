-- objects: one row per business object, with what was last said of it. Replaced by object_key.
-- The object's own id wins over an alias. Amount, currency and quantity are those of its latest successful subject span, else of its
-- latest. Ties go to the larger value, so that the order of arrival never decides.
select
    object_key,
    arg_min(object_type, (via = 'alias', object_type)) as object_type,
    arg_min(object_id, (via = 'alias', object_id)) as object_id,
    arg_min(scope, (via = 'alias', scope)) as scope,
    arg_min(system, (via = 'relation', started_at, system)) as system,
    min(started_at) as first_seen_at,
    max(ended_at) as last_seen_at,
    arg_max(amount, (not is_error, ended_at, amount, currency)) filter (amount is not null) as amount,
    arg_max(currency, (amount is not null, not is_error, ended_at, amount, currency)) filter (currency is not null) as currency,
    arg_max(quantity, (not is_error, ended_at, quantity)) filter (quantity is not null) as quantity,
    arg_max(region, (is_subject, ended_at, region)) filter (region is not null and via <> 'relation') as region,
    arg_max(product_line, (is_subject, ended_at, product_line)) filter (product_line is not null and via <> 'relation') as product_line,
    arg_max(legal_entity, (is_subject, ended_at, legal_entity)) filter (legal_entity is not null and via <> 'relation') as legal_entity,
    arg_max(tier, (is_subject, ended_at, tier)) filter (tier is not null and via <> 'relation') as tier,
    arg_max(workflow, (is_subject, ended_at, workflow)) filter (workflow is not null and via <> 'relation') as workflow,
    arg_max(customer_id, (is_subject, ended_at, customer_id)) filter (customer_id is not null and via <> 'relation') as customer_id,
    arg_max(customer_name, (is_subject, ended_at, customer_name)) filter (customer_name is not null and via <> 'relation') as customer_name,
    arg_max(object_version, (ended_at, object_version)) filter (object_version is not null) as object_version,
    min(seq) as first_seq
from resolved_facts
group by object_key
