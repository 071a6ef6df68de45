-- object_stakes: one row per object that ever failed: the order it holds up first (an order before a quote), what all of them are worth
-- together, whom that concerns, and the owner rules that fit it so far (bit n: the n-th rule). Replaced by object_key.
-- A shared object's failure counts the money of each order it holds up. lead_key is null where it stands in no timeline.
with failing as (
    select f.object_key, any_value(o.scope) as object_scope, any_value(case when f.object_type = 'customer' then f.object_id end) as own_customer_id
    from failures f
    semi join touched_stakes s on s.object_key = f.object_key
    left join (from objects where object_key in (select object_key from touched_stakes)) o on o.object_key = f.object_key
    group by f.object_key
),
places as (
    select object_key, lead_key from timeline_members where direction <> 'up' and object_key in (select object_key from failing)
),
held_up as (
    select p.object_key,
        arg_min(t.lead_key, (t.lead_type <> 'order', t.lead_id)) as lead_key, arg_min(t.lead_type, (t.lead_type <> 'order', t.lead_id)) as lead_type,
        arg_min(t.lead_id, (t.lead_type <> 'order', t.lead_id)) as lead_id, arg_min(t.lead_scope, (t.lead_type <> 'order', t.lead_id)) as lead_scope,
        count(*) as lead_count,
        arg_min(t.customer_id, (t.lead_type <> 'order', t.lead_id)) as customer_id, arg_min(t.customer_name, (t.lead_type <> 'order', t.lead_id)) as customer_name,
        sum(t.reporting_amount)::decimal(18, 2) as blocked_amount, arg_min(t.region, (t.lead_type <> 'order', t.lead_id)) as region,
        arg_min(t.legal_entity, (t.lead_type <> 'order', t.lead_id)) as legal_entity, arg_min(t.product_line, (t.lead_type <> 'order', t.lead_id)) as product_line
    from places p join timelines t on t.lead_key = p.lead_key
    group by p.object_key
),
known as (
    select f.object_key, f.object_scope, h.* exclude (object_key) replace (coalesce(h.customer_id, f.own_customer_id) as customer_id)
    from failing f left join held_up h on h.object_key = f.object_key
),
fitting as (
    select k.object_key, bit_or((1::bigint << r.position)) as owner_rules
    from known k
    join cat_owner_rules r on concerns_stake(r.legal_entities, r.regions, r.customers, r.min_amount, k.legal_entity, k.region, k.customer_id, k.blocked_amount)
    group by k.object_key
)
select k.*, coalesce(f.owner_rules, 0) as owner_rules
from known k left join fitting f on f.object_key = k.object_key
