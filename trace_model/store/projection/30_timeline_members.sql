-- timeline_members: one row per lead object and object in its timeline, itself included. Replaced by lead_key.
-- Leading-type extraction (Adams, Schuster, van der Aalst 2022), directed: from the lead down to everything that is part of
-- it, and up to what it came from; never through another lead object of its type, never down again from above. So a shared
-- invoice stands in each order's timeline with its share, and never melts them into one.
-- share = the part of the object that belongs to this lead, along the nearest way.
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
    select parent_key as from_key, child_key as to_key, child_type as to_type, 'down' as direction, share from links where kind = 'part_of'
    union all
    select child_key, parent_key, parent_type, 'up', 1.0 from links where kind = 'part_of'
),
reached as (
    select lead_key, lead_type, lead_key as object_key, lead_type as object_type, 0 as depth, 'self' as direction, 1.0::double as share from leads
    union all
    select r.lead_key, r.lead_type, s.to_key, s.to_type, r.depth + 1, s.direction, r.share * s.share
    from reached r
    join steps s on s.from_key = r.object_key and r.direction in ('self', s.direction) and s.to_type <> r.lead_type
    join cat_object_types t on t.object_type = s.to_type and t.traversed
    where r.depth < 16
),
nearest as (
    select *, min(depth) over (partition by lead_key, object_key) as least from reached
)
select lead_key, object_key, any_value(object_type) as object_type, depth, min(direction) as direction, least(sum(share), 1.0) as share
from nearest
where depth = least
group by lead_key, object_key, depth
