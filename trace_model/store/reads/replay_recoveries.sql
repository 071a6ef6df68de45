-- replay_recoveries: one row per plan of $watch that is not over, and system that it sends to. Ordered by plan_id, system.
-- $watch varchar (the actor that watches); $since timestamptz (plans made before are too old to count)
-- columns: plan_id, hash, state, state_reason, system, is_braked (paused by a brake, and by nobody's hand since; executed by $watch),
--   brake_count, braked_at (of the last one; null: never)
with deeds as (
    select subject_id as plan_id, arg_max(deed, action_no) as last_deed, count(*) filter (deed = 'brake') as brake_count,
        max(acted_at) filter (deed = 'brake') as braked_at
    from operator_actions
    where subject_type = 'replay_plan' and acted_at > $since
    group by subject_id
)
select distinct p.plan_id, p.hash, p.state, p.state_reason, i.system,
    coalesce(p.state = 'paused' and p.executed_by = $watch and d.last_deed = 'brake', false) as is_braked,
    coalesce(d.brake_count, 0) as brake_count, d.braked_at
from replay_plans p
join replay_items i using (plan_id)
left join deeds d using (plan_id)
where p.created_by = $watch and p.created_at > $since and p.state in ('planned', 'approved', 'running', 'paused')
  and i.decision <> 'skip' and i.system is not null
order by p.plan_id, i.system
