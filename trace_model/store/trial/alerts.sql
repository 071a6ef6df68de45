-- alerts: one row per thing that would have deserved an alert in the $days days before $as_of under one catalogue, kept as before_alerts and
-- after_alerts. Things of one cause whose times overlap are one alert: alert_no of its cause_key.
-- $as_of timestamptz; $days int; $kinds varchar[]; $transient_grace_s, $grace_s double; $queue_depth int; $queue_teams varchar[], $queue_depths int[]
-- columns: kind, subject, lead_key, object_type, object_id, object_scope, owner_team, class, category, system, promise, group_id, title, amount, since, until,
--   cause_key, alert_no, alert_amount (reporting currency)
-- What time alone decides is exact; a timeline that was stuck and moved on since is not among them, nor is what people snoozed left out.
with span as (select $as_of::timestamptz - to_days($days) as from_at, $as_of::timestamptz as until_at),
failing as materialized (
    select f.exception_id, f.episode, f.object_key, f.object_type, f.object_id, f.system, f.opened_at, f.last_failed_at,
        case when row_number() over (partition by f.exception_id order by f.episode desc) = 1 then k.resolved_at_then else f.resolved_at end as ended_at,
        s.group_id, s.class, s.category, s.transient, f.sentence, k.owner_team, k.lead_key, k.object_scope, k.blocked_amount
    from failures f
    join signatures s using (signature)
    join known_failures($as_of) k on k.exception_id = f.exception_id
    where f.opened_at <= $as_of
),
blocking as (
    select m.lead_key, f.class, f.owner_team, f.opened_at, f.ended_at, f.last_failed_at
    from failing f join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
),
instants as (
    select c.lead_key, c.promise, c.label, c.owner_team, t.lead_type, t.lead_id, t.lead_scope, t.reporting_amount, k.kind,
        case k.kind when 'breach' then c.due_at else c.at_risk_at end as since,
        least(c.stopped_at_then, t.completed_at, t.cancelled_at, case k.kind when 'at_risk' then c.due_at end) as until
    from clock_states($as_of) c
    join timelines t using (lead_key)
    cross join (values ('breach'), ('at_risk')) k(kind)
),
promised as (
    select i.kind, i.promise || ':' || i.lead_key as subject, i.lead_key, i.lead_type as object_type, i.lead_id as object_id, i.lead_scope as object_scope, i.promise,
        i.label as title, i.reporting_amount as amount, i.since, i.until,
        coalesce(arg_max(b.owner_team, b.last_failed_at), i.owner_team) as owner_team, arg_max(b.class, b.last_failed_at) as class
    from instants i
    cross join span s
    left join blocking b on b.lead_key = i.lead_key and b.opened_at <= i.since and (b.ended_at is null or b.ended_at > i.since)
    where i.since > s.from_at and i.since <= s.until_at and (i.until is null or i.until > i.since)
    group by i.kind, i.promise, i.lead_key, i.lead_type, i.lead_id, i.lead_scope, i.label, i.reporting_amount, i.since, i.until, i.owner_team
),
reached as (
    select lead_key, arg_max(c.milestone, (m.reached_at, c.position)) as milestone, arg_max(c.label, (m.reached_at, c.position)) as label,
        arg_max(c.owner_team, (m.reached_at, c.position)) as owner_team
    from timeline_milestones m join cat_milestones c using (milestone)
    where m.reached_at <= $as_of
    group by lead_key
),
stuck as (
    select 'stuck' as kind, 'stuck:' || t.lead_key as subject, t.lead_key, t.lead_type as object_type, t.lead_id as object_id, t.lead_scope as object_scope,
        coalesce(r.milestone, 'start') as promise, 'after ' || coalesce(r.label, 'the first sign') as title, t.reporting_amount as amount,
        t.stuck_at as since, coalesce(t.promise_team, r.owner_team) as owner_team
    from timeline_states($as_of) t left join reached r using (lead_key)
    where t.state = 'stuck'
),
calls as (
    select r.system, r.ended_at,
        is_down(count(*) over lately, count(case when r.is_error then 1 end) over lately) as down
    from operation_runs r, span s
    where r.ended_at > s.from_at - interval 10 minute and r.ended_at <= s.until_at
    window lately as (partition by r.system order by r.ended_at range between interval 10 minute preceding and current row)
),
turns as (select *, down and not coalesce(lag(down) over (partition by system order by ended_at), false) as begins from calls),
outages as (
    select system, min(ended_at) as since, max(ended_at) as until
    from (select *, sum(begins::int) over (partition by system order by ended_at rows unbounded preceding) as outage_no from turns)
    where down
    group by system, outage_no
),
heard as (
    select f.system, min(f.ended_at) as first_at, max(f.ended_at) as last_at
    from object_facts f, span s
    where f.ended_at <= s.until_at and f.ended_at > s.from_at - to_seconds((select max(silent_after_s) from cat_systems))
        - to_days(case when exists (from cat_systems where silent_calendar <> '') then 14 else 0 end)  -- an office may be closed for so long
    group by f.system, time_bucket(interval 1 minute, f.ended_at)
),
pauses as (
    select system, last_at, lead(first_at) over (partition by system order by first_at) as next_at from heard
),
quiet as materialized (
    select p.*, c.silent_after_s, c.silent_calendar
    from pauses p join cat_systems c on c.name = p.system
    where coalesce(p.next_at, $as_of) > p.last_at + to_seconds(c.silent_after_s)
),
silences as (
    select system, next_at,
        coalesce(instant_worked(silent_calendar, worked_s(silent_calendar, last_at) + silent_after_s), last_at + to_seconds(silent_after_s)) as since
    from quiet
),
systems as (
    select 'outage' as kind, o.system, o.since, o.until from outages o
    union all
    select 'silent', system, since, next_at from silences where since < coalesce(next_at, $as_of)
),
exceptions as (
    select 'exception' as kind, 'exception:' || f.exception_id || ':' || f.episode as subject, f.lead_key, f.object_type, f.object_id, f.object_scope, f.owner_team,
        f.class, f.category, f.system, f.group_id, f.sentence as title, f.blocked_amount as amount, f.ended_at as until,
        f.opened_at + to_microseconds((case when f.transient then $transient_grace_s else $grace_s end * 1000000)::bigint) as since
    from failing f
),
queued as (
    select owner_team, happened_at, sum(step) over (partition by owner_team order by happened_at range unbounded preceding) as depth
    from (
        select owner_team, opened_at as happened_at, 1 as step from failing
        union all
        select owner_team, ended_at, -1 from failing where ended_at is not null
    )
    where owner_team is not null
),
lengths as (
    select *, depth > coalesce(list_extract($queue_depths, list_position($queue_teams, owner_team)::bigint), $queue_depth) as is_long
    from (select distinct * from queued)
),
queue_turns as (
    select *, is_long is distinct from lag(is_long) over (partition by owner_team order by happened_at) as turns,
        lead(happened_at) over (partition by owner_team order by happened_at) as next_at
    from lengths
),
queues as (
    select 'queue_depth' as kind, 'queue:' || owner_team as subject, owner_team as object_id, owner_team, any_value(t.label) as title,
        min(happened_at) as since, nullif(max(coalesce(next_at, 'infinity')), 'infinity') as until
    from (select *, sum(turns::int) over (partition by owner_team order by happened_at rows unbounded preceding) as turn_no from queue_turns)
    join cat_teams t on t.team = owner_team
    where is_long
    group by owner_team, turn_no
),
deserving as (
    select d.*, alert_cause(d.kind, d.promise, d.owner_team, d.class, d.system, d.group_id) as cause_key
    from (
        from promised union all by name from stuck
        union all by name
        select e.* from exceptions e
        where not (e.class = 'dependency' and exists (
            select 1 from outages o where o.system = e.system and o.since <= e.since and o.until >= e.since))
        union all by name
        select y.kind, 'system:' || y.system as subject, y.system as object_id, c.owner_team, 'dependency' as class, y.system, c.label as title, y.since, y.until
        from systems y join cat_systems c on c.name = y.system
        union all by name from queues
    ) d
    cross join span s
    where list_contains($kinds, d.kind) and d.since > s.from_at and d.since <= s.until_at and (d.until is null or d.until > d.since)
),
marked as (
    select *, since > coalesce(max(coalesce(until, 'infinity')) over (
        partition by cause_key order by since, subject rows between unbounded preceding and 1 preceding), '-infinity'::timestamptz) as begins
    from deserving
),
numbered as (
    select * exclude (begins), sum(begins::int) over (partition by cause_key order by since, subject rows unbounded preceding) as alert_no from marked
)
select *, sum(amount) over (partition by cause_key, alert_no)::decimal(38, 2) as alert_amount
from numbered
