-- links: one row per child and parent object and kind, by the strongest evidence (docs/decisions/002-evidence-of-links.md).
-- Replaced by child_key.
-- For a child and a type of parent only the strongest evidence counts: an invoice that names its order is not also tied to the
-- order whose span it happened to be called from. Correlation (0.60) ties a child that nothing else ties.
-- share: the part of the child that belongs to this parent among its parents of that type: by the amounts of the links, else by their
--   quantities, else by what the parents are worth (amounts, of several currencies by the catalogue's rates; quantities where the child has
--   no amount), else evenly;
--   [share_from, share_until) is that part as a stretch of the whole, so that amounts divide without losing a cent.
-- is_allocating: money follows this link: of a child's types of parent, the one the catalogue declares first.
with correlated as (
    select child_key, child_type, parent_key, parent_type, 'part_of' as kind, 'correlation' as source, 0.60::decimal(3, 2) as confidence,
        null::decimal(18, 4) as amount, null::decimal(18, 4) as quantity, seen_at
    from correlated_links
    where ties
    qualify rank() over (partition by child_key order by position) = 1
),
evidence as (
    from said_links union all from correlated
),
strongest as (
    select *, max(confidence) over (partition by child_key, parent_type, kind) as best
    from evidence
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
),
divisible as (
    select child_key, parent_key from linked qualify count(*) over (partition by child_key, parent_type, kind) > 1
),
worths as materialized (
    select o.object_key, o.amount, o.quantity, coalesce(o.currency, '') as currency, try_cast(o.amount * r.rate as decimal(18, 4)) as reported
    from objects o
    left join cat_rates r on r.currency = o.currency
    where object_key in (select unnest([child_key, parent_key]) from divisible)
),
valued as (
    select l.*, case when c.amount is null then p.quantity else p.amount end as worth,
        case when c.amount is null then '' else p.currency end as currency, p.reported
    from linked l
    left join worths c on c.object_key = l.child_key
    left join worths p on p.object_key = l.parent_key
),
weighed as (
    select *,
        case
            when sum(amount) over siblings > 0 and count(amount) over siblings = count(*) over siblings then amount
            when sum(quantity) over siblings > 0 and count(quantity) over siblings = count(*) over siblings then quantity
            when min(worth) over siblings > 0 and count(worth) over siblings = count(*) over siblings
                and min(currency) over siblings = max(currency) over siblings then worth
            when min(reported) over siblings > 0 and count(reported) over siblings = count(*) over siblings then reported
            else 1
        end as weight
    from valued
    window siblings as (partition by child_key, parent_type, kind)
),
declared as (
    select child_type, parent_type, kind, min(position) as position from cat_relations group by child_type, parent_type, kind
),
divided as (
    select *,
        sum(weight) over (partition by child_key, parent_type, kind) as whole,
        sum(weight) over (partition by child_key, parent_type, kind order by parent_key rows unbounded preceding) as until_here
    from weighed
)
select d.child_key, d.child_type, d.parent_key, d.parent_type, d.kind, d.source, d.confidence, d.amount, d.quantity, d.seen_at,
    d.weight::double / d.whole::double as share,
    (d.until_here - d.weight)::double / d.whole::double as share_from,
    d.until_here::double / d.whole::double as share_until,
    d.kind = 'part_of' and r.position = min(r.position) over (partition by d.child_key, d.kind) as is_allocating
from divided d
join declared r on r.child_type = d.child_type and r.parent_type = d.parent_type and r.kind = d.kind
