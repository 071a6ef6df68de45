-- touched_objects (scratch, for deeds): the objects that the deeds numbered in ($after_no, $until_no] name and whose clocks they move.
-- $after_no, $until_no bigint
select o.object_key
from operator_actions a
join objects o on a.subject_id = o.object_type || ':' || o.object_id and coalesce(a.detail->>'scope', o.scope) = o.scope
where a.action_no > $after_no and a.action_no <= $until_no and a.subject_type = 'timeline' and a.deed in ('pause', 'resume')
