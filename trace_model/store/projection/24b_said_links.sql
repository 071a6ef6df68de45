-- said_links (scratch): the evidence of links of every touched child, each between the objects that its ids stand for. A child that nobody has
-- spoken of is no object, and has no link.
with ends as (
    select coalesce(c.object_key, f.child_key) as child_key, f.child_type, coalesce(p.object_key, f.parent_key) as parent_key, f.parent_type,
        f.kind, f.source, f.confidence, f.amount, f.quantity, f.seen_at
    from link_evidence f
    left join (from resolutions semi join (select child_key as alias_key from link_evidence) using (alias_key)) c on c.alias_key = f.child_key
    left join (from resolutions semi join (select parent_key as alias_key from link_evidence) using (alias_key)) p on p.alias_key = f.parent_key
)
from ends
where child_key <> parent_key
  and (source <> 'operator' or child_key in (select object_key from objects where object_key in (select child_key from ends where source = 'operator')))
