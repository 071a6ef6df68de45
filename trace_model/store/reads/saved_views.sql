-- saved_views: one row per saved view that $actor may use at $as_of: their own and shared ones. By name.
-- $room, $actor varchar; $as_of timestamptz
-- columns: view_id, name, query (the address's filters), is_shared, actor, is_mine, saved_at
with latest as (
    select subject_id as view_id, arg_max(deed, action_no) as deed, arg_max(actor, action_no) as actor, arg_max(detail, action_no) as detail, max(acted_at) as saved_at
    from operator_actions
    where subject_type = 'saved_view' and acted_at <= $as_of
    group by subject_id
)
select view_id, detail->>'name' as name, detail->>'query' as query, (detail->>'shared')::boolean as is_shared, actor, actor = $actor as is_mine, saved_at
from latest
where deed = 'save_view' and detail->>'room' = $room and (actor = $actor or (detail->>'shared')::boolean)
order by name, view_id
