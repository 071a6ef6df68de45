-- export_links: one row per link between two objects known at $as_of, with its evidence. In a fixed order.
-- $as_of timestamptz; share is the part of the child that belongs to the parent
select c.object_type as child_type, c.object_id as child_id, p.object_type as parent_type, p.object_id as parent_id,
    k.kind, k.source, k.confidence, k.amount, k.quantity, k.share, k.seen_at
from links k
join objects c on c.object_key = k.child_key
join objects p on p.object_key = k.parent_key
where k.seen_at <= $as_of
order by all
