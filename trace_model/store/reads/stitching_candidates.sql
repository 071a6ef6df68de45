-- stitching_candidates: the nearest possible parents of each orphan, at most $most of them, the likeliest first.
-- $orphans ubigint[]; $most int; $as_of timestamptz
-- columns: orphan_key, object_key, object_type, object_id, scope, customer, amount, currency, lead_type, lead_id, lead_scope, seconds_apart,
--   reasons (what speaks for it, in words), score (0 to 0.99; only a person makes it sure)
-- Looked for among parents of a declared type that share the customer, the amount, the correlation ID or a number of the id, or came
-- within ten minutes of it.
with orphans as (
    select *, regexp_extract(object_id, '\d{3,}') as number from objects where object_key in (select unnest($orphans))
),
wanted as (
    select o.*, r.parent_type
    from orphans o
    join (select distinct child_type, parent_type from cat_relations where kind = 'part_of') r on r.child_type = o.object_type
),
parents as (
    select *, regexp_extract(object_id, '\d{3,}') as number
    from objects
    where object_type in (select parent_type from wanted) and first_seen_at <= $as_of
),
correlated as (
    select distinct w.object_key as orphan_key, p.object_key
    from wanted w
    join object_correlations c on c.object_key = w.object_key
    join object_correlations p on p.correlation_key = c.correlation_key and p.object_type = w.parent_type
),
pairs as (
    select w.object_key as orphan_key, p.object_key from wanted w join parents p on p.object_type = w.parent_type and p.customer_id = w.customer_id
    union
    select w.object_key, p.object_key from wanted w join parents p on p.object_type = w.parent_type and p.amount = w.amount and p.currency = w.currency
    union
    select w.object_key, p.object_key from wanted w join parents p on p.object_type = w.parent_type and p.number = w.number and w.number <> ''
    union
    select w.object_key, p.object_key from wanted w
    join parents p on p.object_type = w.parent_type and p.first_seen_at between w.first_seen_at - interval 10 minute and w.first_seen_at + interval 10 minute
    union
    from correlated
),
weighed as (
    select x.orphan_key, p.object_key, p.object_type, p.object_id, p.scope, coalesce(p.customer_name, p.customer_id) as customer, p.amount, p.currency,
        p.legal_entity = o.legal_entity as same_entity,
        p.customer_id = o.customer_id as same_customer,
        p.amount = o.amount and p.currency = o.currency as same_amount,
        p.number = o.number and o.number <> '' as same_number,
        c.object_key is not null as same_correlation,
        p.object_key not in (select parent_key from links where kind = 'part_of' and child_type in (select object_type from orphans)) as is_free,
        o.object_type as orphan_type,
        abs(epoch(o.first_seen_at) - epoch(p.first_seen_at)) as seconds_apart
    from pairs x
    join orphans o on o.object_key = x.orphan_key
    join parents p on p.object_key = x.object_key
    left join correlated c on c.orphan_key = x.orphan_key and c.object_key = x.object_key
),
scored as (
    select *,
        list_filter([
            case when same_customer then 'same customer' end,
            case when same_amount then 'same amount' end,
            case when same_number then 'same number in its id' end,
            case when same_correlation then 'same correlation ID' end,
            case when same_entity then 'same legal entity' end,
            case when is_free then 'has no ' || replace(orphan_type, '_', ' ') || ' yet' end
        ], lambda reason: reason is not null) as reasons,
        least(0.99, round(
            case when same_customer then 0.3 else 0 end + case when same_amount then 0.3 else 0 end
            + case when same_number then 0.25 else 0 end + case when same_correlation then 0.2 else 0 end
            + case when same_entity then 0.05 else 0 end + case when is_free then 0.1 else 0 end
            + case when seconds_apart <= 600 then 0.15 when seconds_apart <= 86400 then 0.1 when seconds_apart <= 604800 then 0.05 else 0 end, 2))::double as score
    from weighed
),
nearest as (
    select * from scored
    where score >= 0.2
    qualify row_number() over (partition by orphan_key order by score desc, seconds_apart, object_key) <= $most
)
select n.orphan_key, n.object_key, n.object_type, n.object_id, n.scope, n.customer, n.amount, n.currency,
    arg_min(t.lead_type, (t.lead_type <> 'order', t.lead_id)) as lead_type, arg_min(t.lead_id, (t.lead_type <> 'order', t.lead_id)) as lead_id,
    arg_min(t.lead_scope, (t.lead_type <> 'order', t.lead_id)) as lead_scope, n.seconds_apart, n.reasons, n.score
from nearest n
left join timeline_members m on m.object_key = n.object_key
left join timelines t on t.lead_key = m.lead_key
group by all
order by n.orphan_key, n.score desc, n.seconds_apart, n.object_key
