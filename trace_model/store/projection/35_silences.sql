-- silences: one row per timeline and stretch of time in which nothing moved and no promise ran: what may turn out to be a standstill. Replaced by lead_key.
-- milestone: the latest one before it, reached at since_at (null: none yet, and since_at is the timeline's start). from_at: since_at, or where the last
-- promise ended that allowed the silence; none begins without a milestone. until_at: when it ended, null while it lasts. moved_to: the milestone that ended
-- it; null: nothing more is expected.
-- since_us, until_us: where since_at and until_at stand in the working time of the calendar in which the milestone's standstills count (worked_us; null where
-- it does not reach).
-- What ended sooner than least_silence_s after since_at is left out, since no limit is shorter (standstills_at), and no working time is longer than time.
with steps as (
    select s.lead_key, s.milestone, s.reached_at, c.position
    from coverage_steps s join cat_milestones c using (milestone)
    where s.sign = 1
    union all
    select lead_key, null, started_at, -1 from timelines_fresh
),
gaps as (
    select lead_key, milestone, reached_at as since_at, lead(reached_at) over in_order as next_at, lead(milestone) over in_order as next_milestone
    from steps
    window in_order as (partition by lead_key order by reached_at, position)
),
ended as (
    select g.lead_key, g.milestone, g.since_at, least(g.next_at, t.completed_at, t.cancelled_at) as until_at,
        case when g.next_at <= coalesce(least(t.completed_at, t.cancelled_at), g.next_at) then g.next_milestone end as moved_to
    from gaps g
    join timelines_fresh t using (lead_key)
    cross join cat_settings k
    where (g.next_at is null or epoch(g.next_at) - epoch(g.since_at) >= least_silence_s(k.stuck_after_s))
      and coalesce(g.since_at < least(t.completed_at, t.cancelled_at), true)
),
allowed as (
    select e.lead_key, e.since_at, max(coalesce(c.stopped_at, 'infinity'::timestamptz)) as until_at
    from ended e join clocks_fresh c on c.lead_key = e.lead_key and c.started_at <= e.since_at
    group by e.lead_key, e.since_at
),
quiet as (
    select e.lead_key, e.milestone, e.since_at, greatest(e.since_at, a.until_at) as from_at, e.until_at, e.moved_to,
        coalesce(c.stuck_calendar, k.stuck_calendar) as calendar
    from ended e
    left join allowed a on a.lead_key = e.lead_key and a.since_at = e.since_at
    left join cat_milestones c on c.milestone = e.milestone
    cross join cat_settings k
    where (e.until_at is null or epoch(e.until_at) - epoch(e.since_at) >= least_silence_s(k.stuck_after_s))
      and greatest(e.since_at, a.until_at) < coalesce(e.until_at, 'infinity'::timestamptz)
)
select q.* exclude (calendar), worked_us(s, q.since_at) as since_us, case when q.until_at is not null then worked_us(u, q.until_at) end as until_us
from quiet q
asof left join cat_openings s on s.calendar = q.calendar and s.opens_at <= q.since_at
asof left join cat_openings u on u.calendar = q.calendar and u.opens_at <= q.until_at
