-- clock_stretches (scratch): of clocks that a pause touched before their deadline, one row per stretch of time in which the same was known of
-- its pauses: running, paused, running again. due_delay_us is null while it is paused; holds_until is null for good.
-- Whether a pause stands before the deadline can be decided for each by itself: it does if the working time passed outside earlier
-- pauses, when it begins, is short of the target. Those that do are a prefix, so no recursion is needed.
with apart as (  -- each pause begins when earlier ones have ended
    select c.lead_key, c.promise, c.calendar, c.started_at, c.counts_from_at, p.pause,
        greatest(p.from_at, max(p.ends_at) over earlier) as begins_at, p.ends_at
    from clock_targets c
    join (select *, coalesce(until_at, 'infinity') as ends_at from timeline_pauses_fresh) p on p.lead_key = c.lead_key
    join cat_pauses k on k.pause = p.pause and (len(k.promises) = 0 or list_contains(k.promises, c.promise))
    where c.closes_at is null and p.ends_at > c.started_at
    window earlier as (
        partition by c.lead_key, c.promise order by p.from_at, p.ends_at, p.pause rows between unbounded preceding and 1 preceding
    )
),
edges as (
    select lead_key, promise, calendar, begins_at, unnest([
        greatest(begins_at, counts_from_at), greatest(ends_at, counts_from_at)
    ]) as seen_at
    from apart where begins_at < ends_at
),
spent as (  -- one row per pause: where it begins, and the working time it takes
    select e.lead_key, e.promise, e.begins_at,
        min(worked_us(o, e.seen_at)) as begins_us, max(worked_us(o, e.seen_at)) - begins_us as taken_us
    from edges e
    asof join cat_openings o on o.calendar = e.calendar and o.opens_at <= e.seen_at
    group by e.lead_key, e.promise, e.begins_at
),
passed as (
    select s.*, a.pause, a.ends_at, c.started_at, c.target_us, c.risk_us,
        s.begins_us - c.start_us - coalesce(sum(s.taken_us) over (
            partition by s.lead_key, s.promise order by s.begins_at rows between unbounded preceding and 1 preceding), 0) as passed_us
    from spent s
    join apart a on a.lead_key = s.lead_key and a.promise = s.promise and a.begins_at = s.begins_at and a.begins_at < a.ends_at
    join clock_targets c on c.lead_key = s.lead_key and c.promise = s.promise
),
standing as (
    select *,
        sum(taken_us) over until_now as due_delay_us,
        coalesce(sum(case when passed_us < risk_us then taken_us end) over until_now, 0) as risk_delay_us,
        lead(begins_at) over (partition by lead_key, promise order by begins_at) as next_begins_at
    from passed
    where passed_us < target_us
    window until_now as (partition by lead_key, promise order by begins_at rows between unbounded preceding and current row)
),
stretches as (  -- of clocks with pauses: running, paused, running again
    select lead_key, promise, started_at as holds_from, null::varchar as paused_by, 0::hugeint as due_delay_us, 0::hugeint as risk_delay_us
    from clock_targets semi join standing using (lead_key, promise)
    union all
    -- while it lasts nothing is due; that the clock is at risk already stays known
    select lead_key, promise, greatest(begins_at, started_at), pause, null, case when passed_us >= risk_us then risk_delay_us end from standing
    union all
    select lead_key, promise, ends_at, null, due_delay_us, risk_delay_us from standing
    where ends_at < 'infinity' and (next_begins_at is null or next_begins_at > ends_at)
)
-- what comes after the clock stopped changes nothing
select s.*, lead(s.holds_from) over (partition by s.lead_key, s.promise order by s.holds_from, s.paused_by nulls first) as holds_until
from stretches s join clock_targets c using (lead_key, promise)
where c.stopped_at is null or s.holds_from < c.stopped_at or s.holds_from <= c.started_at
qualify holds_until is null or holds_until > s.holds_from
