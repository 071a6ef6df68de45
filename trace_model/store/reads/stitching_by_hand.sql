-- stitching_by_hand: one row per link that a person made and nobody took back, latest first.
-- $as_of timestamptz
-- columns: child_type, child_id, child_scope, parent_type, parent_id, parent_scope, actor, acted_at, reason
select c.object_type as child_type, c.object_id as child_id, c.scope as child_scope, p.object_type as parent_type, p.object_id as parent_id,
    p.scope as parent_scope, l.actor, l.seen_at as acted_at, l.reason
from operator_links l
left join resolutions cr on cr.alias_key = l.child_key
left join resolutions pr on pr.alias_key = l.parent_key
join objects c on c.object_key = coalesce(cr.object_key, l.child_key)
join objects p on p.object_key = coalesce(pr.object_key, l.parent_key)
where l.seen_at <= $as_of
order by l.seen_at desc, c.object_id, p.object_id
