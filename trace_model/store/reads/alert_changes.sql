-- alert_changes: one row per thing that began or ceased to deserve an alert since the alert ledger last knew. Begun before ceased,
-- then by kind, since and subject. Empty: the ledger is up to date.
-- $as_of timestamptz; $kinds varchar[] (those that are asked for; members of others leave); $down, $silent varchar[] (systems in that state);
-- $quiet varchar[] (collectors that are silent), $quiet_since timestamptz[] side by side, $quiet_team varchar (whose they are)
-- $asleep varchar[] (groups that are snoozed); $transient_grace_s, $grace_s double (how long a failure must stay open first); $queue_depth int; $queue_teams varchar[] and $queue_depths int[] side by side
-- columns: change 'begun'|'ceased', kind, cause_key, subject, lead_key, object_type, object_id, owner_team, class, category, system, promise, group_id,
--   title, amount (reporting currency), since; of the ceased: member_no, alert_id (what is true of them now: alert_ceased)
-- A thing stays with the alert it joined, whatever its owner or class become, until it no longer deserves any of that kind.
with states as materialized (
    select lead_key, lead_type, lead_id, reporting_amount, state, stuck_at, exception_class, exception_team, promise_team
    from timeline_states($as_of) where state in ('breached', 'at_risk', 'stuck')
),
open as materialized (select * from open_failures($as_of)),
promised as (
    select case c.state when 'breached' then 'breach' else 'at_risk' end as kind, c.promise || ':' || c.lead_key as subject, c.lead_key,
        s.lead_type as object_type, s.lead_id as object_id, coalesce(s.exception_team, c.owner_team) as owner_team, s.exception_class as class,
        null::varchar as category, null::varchar as system, c.promise, null::varchar as group_id, c.label as title, s.reporting_amount as amount,
        case c.state when 'breached' then c.due_at else c.at_risk_at end as since
    from open_clocks($as_of) c join states s using (lead_key)
    where c.state in ('breached', 'at_risk')
),
reached as (
    select m.lead_key, arg_max(c.label, (m.reached_at, c.position)) as label, arg_max(c.milestone, (m.reached_at, c.position)) as milestone,
        arg_max(c.owner_team, (m.reached_at, c.position)) as owner_team
    from timeline_milestones m join cat_milestones c using (milestone)
    where m.reached_at <= $as_of and m.lead_key in (select lead_key from states where state = 'stuck')
    group by m.lead_key
),
stuck as (
    select 'stuck' as kind, 'stuck:' || s.lead_key as subject, s.lead_key, s.lead_type as object_type, s.lead_id as object_id,
        coalesce(s.promise_team, r.owner_team) as owner_team, null as class, null as category, null as system, coalesce(r.milestone, 'start') as promise,
        null as group_id, 'after ' || coalesce(r.label, 'the first sign') as title, s.reporting_amount as amount, s.stuck_at as since
    from states s left join reached r using (lead_key)
    where s.state = 'stuck'
),
failing as (
    select 'exception' as kind, 'exception:' || f.exception_id || ':' || f.episode as subject, f.lead_key, f.object_type, f.object_id, f.owner_team,
        f.class, f.category, f.system, null as promise, f.group_id, f.sentence as title, f.blocked_amount as amount, f.opened_at as since
    from open f
    where f.opened_at + to_microseconds((case when f.transient then $transient_grace_s else $grace_s end * 1000000)::bigint) <= $as_of
      and not list_contains($asleep, f.group_id)
      and not (f.class = 'dependency' and list_contains($down, f.system))
),
systems as (
    select case when list_contains($down, s.name) then 'outage' else 'silent' end as kind, 'system:' || s.name as subject, null::ubigint as lead_key,
        null as object_type, s.name as object_id, s.owner_team, 'dependency' as class, null as category, s.name as system, null as promise, null as group_id,
        s.label as title, null::decimal(18, 2) as amount, $as_of::timestamptz as since
    from cat_systems s
    where list_contains($down, s.name) or list_contains($silent, s.name)
),
queues as (
    select 'queue_depth' as kind, 'queue:' || f.owner_team as subject, null as lead_key, null as object_type, f.owner_team as object_id, f.owner_team,
        null as class, null as category, null as system, null as promise, null as group_id, t.label as title,
        sum(f.blocked_amount)::decimal(18, 2) as amount, $as_of::timestamptz as since
    from open f join cat_teams t on t.team = f.owner_team
    where not list_contains($asleep, f.group_id)
    group by f.owner_team, t.label
    having count(*) > coalesce(list_extract($queue_depths, list_position($queue_teams, f.owner_team)::bigint), $queue_depth)
),
collectors as (
    select 'collector' as kind, 'collector:' || q.name as subject, null::ubigint as lead_key, null as object_type, q.name as object_id, $quiet_team as owner_team,
        'dependency' as class, null as category, null as system, null as promise, null as group_id, q.name as title, null::decimal(18, 2) as amount, q.since
    from (select unnest($quiet) as name, unnest($quiet_since) as since) q
),
deserving as materialized (
    select * from (
        from promised union all by name from stuck union all by name from failing union all by name from systems union all by name from queues
        union all by name from collectors
    ) where list_contains($kinds, kind)
),
members as (
    select m.*, a.kind, a.cause_key, a.owner_team, a.class, a.category, a.system, a.promise, a.group_id, a.title
    from alert_members m join alerts a using (alert_id)
    anti join alert_departures d on d.member_no = m.member_no
),
begun as (
    select d.* from deserving d anti join members m on m.kind = d.kind and m.subject = d.subject
),
ceased as (
    select m.* from members m anti join deserving d on d.kind = m.kind and d.subject = m.subject
)
select 'begun' as change, b.kind, alert_cause(b.kind, b.promise, b.owner_team, b.class, b.system, b.group_id) as cause_key,
    b.subject, b.lead_key, b.object_type, b.object_id, b.owner_team, b.class, b.category, b.system, b.promise, b.group_id, b.title,
    b.amount::decimal(18, 2) as amount, b.since, null::bigint as member_no, null as alert_id
from begun b
union all
select 'ceased', c.kind, c.cause_key, c.subject, c.lead_key, c.object_type, c.object_id, c.owner_team, c.class, c.category, c.system, c.promise, c.group_id,
    c.title, c.amount, c.since, c.member_no, c.alert_id
from ceased c
order by change, kind, since, subject
