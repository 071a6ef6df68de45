-- export_relations: one row per link between two objects known at $as_of, child to parent, in a fixed order.
-- $as_of timestamptz; columns: child_type, child_id, child_scope, parent_type, parent_id, parent_scope, kind
select c.object_type as child_type, c.object_id as child_id, c.scope as child_scope,
    p.object_type as parent_type, p.object_id as parent_id, p.scope as parent_scope, k.kind
from links k
join objects c on c.object_key = k.child_key
join objects p on p.object_key = k.parent_key
where k.seen_at <= $as_of
order by all
