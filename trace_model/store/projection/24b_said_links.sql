-- said_links (scratch): the link_facts of every touched child, each between the objects that its ids stand for, and what people tied by
-- hand, as sure as what a system says. A child that nobody has spoken of is no object, and has no link.
with mentions as (
    select child_key as mention_key from touched_children
    union
    select r.alias_key from resolutions r semi join touched_children t on t.child_key = r.object_key
),
found as materialized (
    -- where they stand first (as in 21a_objects_before)
    select rowid as place from link_facts where child_key in (select mention_key from mentions)
),
facts as (
    select child_key, child_type, parent_key, parent_type, kind, source, confidence, amount, quantity, seen_at
    from (
        from link_facts where rowid in (select place from found where is_stored(place))
        union all
        from link_facts where not is_stored(rowid) and rowid in (select place from found)
    )
    union all
    select child_key, child_type, parent_key, parent_type, 'part_of', 'operator', 1.00::decimal(3, 2), null, null, seen_at
    from operator_links f semi join mentions m on m.mention_key = f.child_key
),
ends as (
    select coalesce(c.object_key, f.child_key) as child_key, f.child_type, coalesce(p.object_key, f.parent_key) as parent_key, f.parent_type,
        f.kind, f.source, f.confidence, f.amount, f.quantity, f.seen_at
    from facts f
    left join (from resolutions semi join (select child_key as alias_key from facts) using (alias_key)) c on c.alias_key = f.child_key
    left join (from resolutions semi join (select parent_key as alias_key from facts) using (alias_key)) p on p.alias_key = f.parent_key
)
from ends
where child_key <> parent_key
  and (source <> 'operator' or child_key in (select object_key from objects where object_key in (select child_key from ends where source = 'operator')))
