-- object_parents: one row per object that one object is part of, and how we know.
-- $object_key ubigint; $as_of timestamptz
-- columns: parent_key, parent_type, parent_id, source, confidence, by_hand (a person tied them, too)
select k.parent_key, k.parent_type, p.object_id as parent_id, k.source, k.confidence,
    exists (
        from operator_links l
        left join resolutions cr on cr.alias_key = l.child_key
        left join resolutions pr on pr.alias_key = l.parent_key
        where coalesce(cr.object_key, l.child_key) = k.child_key and coalesce(pr.object_key, l.parent_key) = k.parent_key
    ) as by_hand
from links k
join objects p on p.object_key = k.parent_key
where k.child_key = $object_key and k.kind = 'part_of' and k.seen_at <= $as_of
order by k.parent_type, p.object_id, k.parent_key
