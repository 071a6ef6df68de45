-- link_evidence (scratch): the link_facts of every touched child, and what people tied by hand, as sure as what a system says; each under the ids
-- with which it was said.
with mentions as (
    select child_key as mention_key from touched_children
    union
    select r.alias_key from resolutions r semi join touched_children t on t.child_key = r.object_key
),
found as materialized (
    -- where they stand first (as in 21a_objects_before)
    select rowid as place from link_facts where child_key in (select mention_key from mentions)
)
select child_key, child_type, parent_key, parent_type, kind, source, confidence, amount, quantity, seen_at
from (
    from link_facts where rowid in (select place from found where is_stored(place))
    union all
    from link_facts where not is_stored(rowid) and rowid in (select place from found)
)
union all
select child_key, child_type, parent_key, parent_type, 'part_of', 'operator', 1.00::decimal(3, 2), null, null, seen_at
from operator_links f semi join mentions m on m.mention_key = f.child_key
