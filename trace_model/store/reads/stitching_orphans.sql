-- stitching_orphans: one row per object that should be part of an order and is tied to nothing above it. Most money first, then oldest.
-- $system, $object_type varchar or null; $limit, $offset int; $as_of timestamptz
-- columns: object_key, object_type, object_id, scope, system, customer, amount, currency, reporting_amount, first_seen_at, doubt (why it
--   was not tied, or null), total_count, total_amount (reporting currency)
with orphans as (
    select o.object_key, o.object_type, o.object_id, o.scope, o.system, coalesce(o.customer_name, o.customer_id) as customer, o.amount, o.currency,
        (o.amount * r.rate)::decimal(18, 2) as reporting_amount, o.first_seen_at
    from objects o
    left join cat_rates r on r.currency = o.currency
    where o.first_seen_at <= $as_of
      and o.object_type in (select child_type from cat_relations where kind = 'part_of')
      and o.object_type in (select object_type from cat_object_types where traversed and not is_lead and not above_lead)
      and o.object_key not in (select child_key from links where kind = 'part_of')
      and ($system is null or o.system = $system)
      and ($object_type is null or o.object_type = $object_type)
)
select o.*, w.detail as doubt, count(*) over () as total_count, sum(o.reporting_amount) over () as total_amount
from orphans o
left join (select object_key, min(detail) as detail from warnings where kind in ('ambiguous_correlation', 'ambiguous_alias') group by object_key) w
    using (object_key)
order by o.reporting_amount desc nulls last, o.first_seen_at, o.object_key
limit $limit offset $offset
