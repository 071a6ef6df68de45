-- timeline_members: one row per lead object and object in its timeline, itself included. Replaced by lead_key.
-- Leading-type extraction (Adams, Schuster, van der Aalst 2022), directed: from the lead down to everything that is part of
-- it, and up to what it came from; never through another lead object of its type, never down again from above. So a shared
-- invoice stands in each order's timeline with its share, and never melts them into one (docs/timelines.md).
-- share, parts: the part of the object that belongs to this lead, along allocating links; the shares of an object over its leads add
--   up to 1. parts are its stretches of the whole, null when it belongs to this lead alone. What lies above is there as a whole.
-- amount, quantity: that part of the object's own, in its own currency.
with recursive leads as (
    select o.object_key as lead_key, o.object_type as lead_type
    from touched_leads t
    join objects o on o.object_key = t.lead_key
    join cat_lead_types l on l.object_type = o.object_type
    -- a quote leads until something of a more preferred lead type came from it
    where not exists (
        from links k join cat_lead_types p on p.object_type = k.child_type and p.preference < l.preference
        where k.parent_key = o.object_key and k.kind = 'part_of'
    )
),
steps as (
    select parent_key as from_key, child_key as to_key, child_type as to_type, 'down' as direction, share_from, share_until, is_allocating
    from links where kind = 'part_of'
    union all
    select child_key, parent_key, parent_type, 'up', 0.0, 1.0, true from links where kind = 'part_of'
),
reached as (
    select lead_key, lead_type, lead_key as object_key, lead_type as object_type, 0 as depth, 'self' as direction,
        0.0::double as part_from, 1.0::double as part_until, true as is_allocating
    from leads
    union all
    select r.lead_key, r.lead_type, s.to_key, s.to_type, r.depth + 1, s.direction,
        -- the ends are taken over as they are: neighbouring parts must meet to the last bit
        case when r.part_from = 0 then s.share_from else s.share_from + (s.share_until - s.share_from) * r.part_from end,
        case when r.part_until = 1 then s.share_until else s.share_from + (s.share_until - s.share_from) * r.part_until end,
        r.is_allocating and s.is_allocating
    from reached r
    join steps s on s.from_key = r.object_key and r.direction in ('self', s.direction) and s.to_type <> r.lead_type
    join cat_object_types t on t.object_type = s.to_type and t.traversed
    where r.depth < 16
),
gathered as (
    select lead_key, object_key, any_value(object_type) as object_type, min(depth) as depth, arg_min(direction, (depth, direction)) as direction,
        coalesce(round(sum(part_until - part_from) filter (is_allocating), 12), 0) as parts_share,
        coalesce(list_sort(list({'from': part_from, 'until': part_until}) filter (is_allocating)), []) as parts
    from reached
    group by lead_key, object_key
),
shared as (
    select *, direction <> 'down' or parts_share > 0.999999999 as is_whole from gathered
)
select s.lead_key, s.object_key, s.object_type, s.depth, s.direction,
    case when s.is_whole then 1.0 else s.parts_share end::double as share,
    allotted(o.amount, case when s.is_whole then null else s.parts end, minor_digits(o.currency)) as amount,
    allotted(o.quantity, case when s.is_whole then null else s.parts end, 4) as quantity,
    case when s.is_whole then null else s.parts end as parts
from shared s
join objects o on o.object_key = s.object_key
