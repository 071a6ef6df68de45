-- links: one row per child and parent object, by the strongest evidence. Replaced where child or parent is touched.
-- For a child and a type of parent only the strongest kind of evidence counts: an invoice that names its order is not also
-- tied to the order whose span it happened to be called from.
-- Correlation (0.60) ties a child that nothing else ties, and only where the correlation ID has exactly one such parent.
-- share = the part of the child that belongs to this parent among its parents of that type: by amount, else by quantity, else evenly.
with said as (
    select coalesce(c.object_key, f.child_key) as child_key, f.child_type, coalesce(p.object_key, f.parent_key) as parent_key, f.parent_type,
        f.kind, f.source, f.confidence, f.amount, f.quantity, f.seen_at
    from link_facts f
    left join resolutions c on c.alias_key = f.child_key
    left join resolutions p on p.alias_key = f.parent_key
    where f.child_key in (select mention_key from sibling_mentions)
),
correlated as (
    -- one parent of that type, and one lead object, on this correlation ID: else it is a batch, and a batch ties nothing
    select c.object_key as child_key, c.object_type as child_type, p.object_key as parent_key, p.object_type as parent_type,
        'part_of' as kind, 'correlation' as source, 0.60::decimal(3, 2) as confidence, null::decimal(18, 4) as amount, null::decimal(18, 4) as quantity,
        o.first_seen_at as seen_at
    from touched_correlation_objects c
    join cat_relations r on r.child_type = c.object_type and r.kind = 'part_of'
    join touched_correlation_objects p on p.correlation_key = c.correlation_key and p.object_type = r.parent_type and p.object_key <> c.object_key
    join objects o on o.object_key = c.object_key
    where p.of_type = 1 and c.lead_count <= 1
      and c.object_key not in (select child_key from said where kind = 'part_of')
    -- the first relation the catalogue declares for the child wins
    qualify rank() over (partition by c.object_key order by r.position) = 1
),
evidence as (
    from said union all from correlated
),
strongest as (
    select *, max(confidence) over (partition by child_key, parent_type, kind) as best
    from evidence
    where child_key <> parent_key
),
linked as (
    select child_key, any_value(child_type) as child_type, parent_key, any_value(parent_type) as parent_type, kind,
        arg_min(source, (seen_at, source)) as source, max(confidence) as confidence,
        arg_max(amount, (seen_at, amount)) filter (amount is not null) as amount,
        arg_max(quantity, (seen_at, quantity)) filter (quantity is not null) as quantity,
        min(seen_at) as seen_at
    from strongest
    where confidence = best
    group by child_key, parent_key, kind
)
select *,
    case
        when sum(amount) over siblings > 0 and count(amount) over siblings = count(*) over siblings then (amount / sum(amount) over siblings)::double
        when sum(quantity) over siblings > 0 and count(quantity) over siblings = count(*) over siblings then (quantity / sum(quantity) over siblings)::double
        else 1.0 / count(*) over siblings
    end as share
from linked
window siblings as (partition by child_key, parent_type, kind)
