-- exception_fixes: one row per way in which exceptions of a group ended, or were tried to, until $as_of; what ended most of them first.
-- $group_id varchar; $as_of timestamptz
-- columns: fix: 'replay' (a replayed run succeeded), 'engine' (a run of the engine itself succeeded), 'target' (the system told of the milestone),
--   'facts' (a check, whose facts changed), 'moved_on' (a stuck flow reached its next milestone), 'by_hand' (a person resolved it); ended_count, tried_count (replays: those that were settled; else as
--   ended_count), last_at, last_object_id (the last one that it ended), median_s (from opening to end)
with episodes as (
    select f.operation, f.object_key, f.object_id, f.opened_at, f.resolved_at
    from failures f join signatures s using (signature)
    where s.group_id = $group_id and f.resolved_at <= $as_of
),
runs as (
    select e.operation, e.object_key, e.resolved_at, max(u.replay_id) as replay_id
    from episodes e
    join (select object_key, object_key as mention_key from episodes union select object_key, alias_key from resolutions) m on m.object_key = e.object_key
    join operation_runs u on u.mention_key = m.mention_key and u.operation = e.operation and not u.is_error and u.ended_at = e.resolved_at
    group by e.operation, e.object_key, e.resolved_at
),
ended as (
    select e.object_id, e.opened_at, e.resolved_at,
        case when e.operation in (select operation from cat_checks) then 'facts' when r.replay_id is not null then 'replay' when r.object_key is not null then 'engine' else 'target' end as fix
    from episodes e
    left join runs r on r.operation = e.operation and r.object_key = e.object_key and r.resolved_at = e.resolved_at
    union all
    select f.object_id, f.opened_at, g.resolved_by_hand_at, 'by_hand'
    from failures f
    join signatures s using (signature)
    join group_deeds($as_of) g on g.group_id = s.group_id
    where s.group_id = $group_id and g.resolved_by_hand_at >= f.last_failed_at and (f.resolved_at is null or f.resolved_at > $as_of)
    union all
    select object_id, opened_at, resolved_at_then, case when ended_by = 'milestone' then 'moved_on' else 'by_hand' end
    from stuck_of_group($as_of, $group_id)
    where state = 'resolved' and (ended_by is null or ended_by = 'milestone')
),
replays as (
    select count(*) as tried_count
    from replay_items i join signatures s using (signature)
    where s.group_id = $group_id and i.outcome in ('milestone_reached', 'failed_again') and i.settled_at <= $as_of
)
select e.fix, count(*) as ended_count, case when e.fix = 'replay' then greatest(any_value(p.tried_count), count(*)) else count(*) end as tried_count,
    max(e.resolved_at) as last_at, arg_max(e.object_id, e.resolved_at) as last_object_id,
    median(epoch(e.resolved_at) - epoch(e.opened_at)) as median_s
from ended e cross join replays p
group by e.fix
order by ended_count desc, e.fix
