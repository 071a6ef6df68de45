-- said_links (scratch): the link_facts of every touched child, each between the objects that its ids stand for.
with mentions as (
    select child_key as mention_key from touched_children
    union
    select r.alias_key from resolutions r semi join touched_children t on t.child_key = r.object_key
),
facts as (
    from link_facts f semi join mentions m on m.mention_key = f.child_key
)
select coalesce(c.object_key, f.child_key) as child_key, f.child_type, coalesce(p.object_key, f.parent_key) as parent_key, f.parent_type,
    f.kind, f.source, f.confidence, f.amount, f.quantity, f.seen_at
from facts f
left join (from resolutions semi join (select child_key as alias_key from facts) using (alias_key)) c on c.alias_key = f.child_key
left join (from resolutions semi join (select parent_key as alias_key from facts) using (alias_key)) p on p.alias_key = f.parent_key
where coalesce(c.object_key, f.child_key) <> coalesce(p.object_key, f.parent_key)
