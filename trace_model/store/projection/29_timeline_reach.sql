-- timeline_reach (scratch): one row per lead object and object that its timeline reaches, itself included, by the nearest way.
-- Leading-type extraction (Adams, Schuster, van der Aalst 2022), directed: from the lead down to everything that is part of
-- it, and up to what it came from; never through another lead object of its type, never down again from above.
with recursive leads as (
    select o.object_key as lead_key, o.object_type as lead_type
    from touched_leads t
    join near_rows o on o.object_key = t.lead_key
    join cat_lead_types l on l.object_type = o.object_type
    -- a quote leads until something of a more preferred lead type came from it
    where not exists (
        from near_links k join cat_lead_types p on p.object_type = k.child_type and p.preference < l.preference
        where k.parent_key = o.object_key
    )
),
steps as (
    select parent_key as from_key, child_key as to_key, child_type as to_type, 'down' as direction, share_from, share_until, is_allocating
    from near_links
    union all
    select child_key, parent_key, parent_type, 'up', 0.0, 1.0, true from near_links
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
)
select lead_key, object_key, any_value(object_type) as object_type, min(depth) as depth, arg_min(direction, (depth, direction)) as direction,
    coalesce(round(sum(part_until - part_from) filter (is_allocating), 12), 0) as parts_share,
    coalesce(list_sort(list({'from': part_from, 'until': part_until}) filter (is_allocating)), []) as parts
from reached
group by lead_key, object_key
