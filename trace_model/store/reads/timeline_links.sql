-- timeline_links: one row per link between two objects of a timeline, or from one of them to an object outside (a sibling order).
-- $lead_key ubigint
select c.object_type as from_type, c.object_id as from_id, c.scope as from_scope, p.object_type as to_type, p.object_id as to_id, p.scope as to_scope,
    k.kind, k.source, k.confidence, k.amount, k.quantity, k.share, k.seen_at
from links k
join objects c on c.object_key = k.child_key
join objects p on p.object_key = k.parent_key
where k.child_key in (select object_key from timeline_members where lead_key = $lead_key)
   or k.parent_key in (select object_key from timeline_members where lead_key = $lead_key and direction <> 'up')
order by p.object_type, p.object_id, c.object_type, c.object_id
