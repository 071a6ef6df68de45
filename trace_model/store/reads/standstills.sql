-- standstills: one row per timeline asked for that is open at $as_of: what it waits for, from whom, and what the silence looks like.
-- $lead_keys ubigint[]; $as_of timestamptz. Order: lead_key
-- columns: lead_key, milestone, label, owner_team (of what is expected next), system, system_label, system_seen_at (null: not in a week), is_silent (the
--   system is not heard of: not the same as no progress), system_owner, progress_at, progress_label (latest milestone), coverage (of the expected one),
--   repaired_operation, repaired_at (a failure that healed when it last moved), last_operation, last_run_at, passed_at (when any order last passed there),
--   passed_count (of the last 24 h), reason: no_data, partly_done, not_resumed, dropped, interface_stands; null: nothing is expected
with asked as (
    select * from timelines
    where lead_key in (select unnest($lead_keys::ubigint[])) and coalesce(completed_at > $as_of, true) and coalesce(cancelled_at > $as_of, true)
),
reached as (
    select m.lead_key, arg_max(c.label, (m.reached_at, c.position)) as label, max(m.reached_at) as progress_at,
        max(c.position) filter (c.expected = 'always') as furthest
    from timeline_milestones m semi join asked using (lead_key) join cat_milestones c using (milestone)
    where m.reached_at <= $as_of
    group by m.lead_key
),
expected as (
    select l.lead_key, arg_min({'milestone': c.milestone, 'label': c.label, 'owner_team': c.owner_team, 'system': c.system,
        'coverage': case when t.reached_at <= $as_of then t.coverage else 'none' end},
        -- what lies before the furthest milestone is not waited for any more, unless it is done in part
        (c.position < r.furthest and t.reached_at is null, c.position)) as m
    from asked l
    left join reached r using (lead_key)
    cross join cat_milestones c
    left join timeline_milestones t on t.lead_key = l.lead_key and t.milestone = c.milestone
    where c.expected = 'always' and (t.reached_at is null or t.reached_at > $as_of or (t.coverage = 'partial' and c.covers <> 'once'))
      and expects(c, l)
    group by l.lead_key
),
heard as (
    select system, max(ended_at) as seen_at from object_facts where ended_at <= $as_of and ended_at > $as_of - interval 7 day group by system
),
silences as (  -- the system that the catalogue names, or others of its product: one of them is this order's
    select d.name as system, any_value(d.label) as label, any_value(d.owner_team) as owner_team, max(h.seen_at) as seen_at,
        coalesce(bool_and(silence_s(s.silent_calendar, h.seen_at, $as_of::timestamptz) > s.silent_after_s) filter (h.seen_at is not null), false) as is_silent
    from cat_systems d join cat_systems s on s.product = d.product left join heard h on h.system = s.name
    group by d.name
),
mine as (
    select a.lead_key, m.object_key, o.first_seq
    from asked a join timeline_members m using (lead_key) join objects o using (object_key) where m.direction <> 'up' or m.depth <= 1
),
runs as (
    select m.lead_key, arg_max(r.operation, r.ended_at) as operation, max(r.ended_at) as ended_at
    from operation_runs r join mine m on m.object_key = r.mention_key
    where r.ended_at <= $as_of and r.seq >= (select min(first_seq) from mine)
    group by m.lead_key
),
repairs as (
    select m.lead_key, arg_max(f.operation, f.resolved_at) as operation, max(f.resolved_at) as resolved_at
    from failures f join mine m using (object_key)
    where f.resolved_at <= $as_of
    group by m.lead_key
),
passing as (
    select milestone, max(reached_at) as passed_at, count(*) filter (reached_at > $as_of - interval 24 hour) as passed_count
    from timeline_milestones
    where milestone in (select m.milestone from expected) and reached_at <= $as_of
    group by milestone
)
select a.lead_key, e.m.milestone, e.m.label, e.m.owner_team, e.m.system, s.label as system_label, s.seen_at as system_seen_at,
    coalesce(s.is_silent, false) as is_silent, s.owner_team as system_owner, coalesce(r.progress_at, a.started_at) as progress_at,
    r.label as progress_label, e.m.coverage, p.operation as repaired_operation, p.resolved_at as repaired_at,
    u.operation as last_operation, u.ended_at as last_run_at, g.passed_at, coalesce(g.passed_count, 0) as passed_count,
    case
        when e.m is null then null
        when s.is_silent then 'no_data'
        when e.m.coverage = 'partial' then 'partly_done'
        when p.resolved_at >= r.progress_at - interval 10 minute then 'not_resumed'
        when g.passed_at > coalesce(r.progress_at, a.started_at) then 'dropped'
        else 'interface_stands'
    end as reason
from asked a
left join expected e using (lead_key)
left join reached r using (lead_key)
left join silences s on s.system = e.m.system
left join runs u using (lead_key)
left join repairs p using (lead_key)
left join passing g on g.milestone = e.m.milestone
order by a.lead_key
