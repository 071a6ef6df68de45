-- clocks: one row per clock and stretch of time in which the same was known of its pauses; mostly one. Replaced by lead_key.
-- At an instant, the row with holds_from <= it < holds_until (null: for good) holds: so a past instant is never answered with a pause
-- that came later. due_at is null while it is paused (paused_by names the pause), and where the calendar's tables do not reach.
-- target_s: the working seconds promised. segment: that of the order, so that attainment reads millions of clocks and joins none.
-- The rules are those of docs/working-time.md; positions (_us) are microseconds of
-- working time since the calendar's first opening.
-- Whether a pause stands before the deadline can be decided for each by itself: it does if the working time passed outside earlier
-- pauses, when it begins, is short of the target. Those that do are a prefix, so no recursion is needed.
with placed as (
    select c.*,
        o.worked_before_us + epoch_us(least(c.counts_from_at, o.closes_at)) - epoch_us(o.opens_at) as start_us
    from clock_starts c
    asof left join cat_openings o on o.calendar = c.calendar and o.opens_at <= c.counts_from_at
),
promised as (
    select p.*,
        coalesce((p.within_s * 1000000)::bigint,
            o.worked_before_us + epoch_us(least(p.closes_at, o.closes_at)) - epoch_us(o.opens_at) - p.start_us) as target_us
    from placed p
    asof left join cat_openings o on o.calendar = p.calendar and o.opens_at <= p.closes_at
),
risked as (
    select *, (target_us * at_risk_part)::bigint as risk_us from promised
),
apart as (  -- each pause begins when earlier ones have ended
    select c.lead_key, c.promise, c.calendar, c.started_at, c.counts_from_at, p.pause,
        greatest(p.from_at, max(p.ends_at) over earlier) as begins_at, p.ends_at
    from risked c
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
        min(o.worked_before_us + epoch_us(least(e.seen_at, o.closes_at)) - epoch_us(o.opens_at)) as begins_us,
        max(o.worked_before_us + epoch_us(least(e.seen_at, o.closes_at)) - epoch_us(o.opens_at)) - begins_us as taken_us
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
    join risked c on c.lead_key = s.lead_key and c.promise = s.promise
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
    from risked semi join standing using (lead_key, promise)
    union all
    -- while it lasts nothing is due; that the clock is at risk already stays known
    select lead_key, promise, greatest(begins_at, started_at), pause, null, case when passed_us >= risk_us then risk_delay_us end from standing
    union all
    select lead_key, promise, ends_at, null, due_delay_us, risk_delay_us from standing
    where ends_at < 'infinity' and (next_begins_at is null or next_begins_at > ends_at)
),
ordered as (  -- what comes after the clock stopped changes nothing
    select s.*, lead(s.holds_from) over (partition by s.lead_key, s.promise order by s.holds_from, s.paused_by nulls first) as holds_until
    from stretches s join risked c using (lead_key, promise)
    where c.stopped_at is null or s.holds_from < c.stopped_at or s.holds_from <= c.started_at
    qualify holds_until is null or holds_until > s.holds_from
),
held as (
    select lead_key, promise, started_at as holds_from, null::timestamptz as holds_until, null::varchar as paused_by,
        start_us + target_us as due_us, start_us + risk_us as risk_us
    from risked anti join standing using (lead_key, promise)
    union all
    select s.lead_key, s.promise, s.holds_from, s.holds_until, s.paused_by,
        c.start_us + c.target_us + s.due_delay_us, c.start_us + c.risk_us + s.risk_delay_us
    from ordered s join risked c using (lead_key, promise)
)
select h.lead_key, h.promise, c.variant, c.started_at, h.holds_from, h.holds_until,
    case
        when c.closes_at is not null then least(c.closes_at, r.opens_at + to_microseconds((h.risk_us - r.worked_before_us)::bigint))
        when h.risk_us - r.worked_before_us <= epoch_us(r.closes_at) - epoch_us(r.opens_at)
            then r.opens_at + to_microseconds((h.risk_us - r.worked_before_us)::bigint)
    end as at_risk_at,
    case
        when h.paused_by is not null then null
        when c.closes_at is not null then c.closes_at
        when h.due_us - d.worked_before_us <= epoch_us(d.closes_at) - epoch_us(d.opens_at)
            then d.opens_at + to_microseconds((h.due_us - d.worked_before_us)::bigint)
    end as due_at,
    h.paused_by, c.stopped_at, c.target_us / 1e6 as target_s,
    {'region': t.region, 'product_line': t.product_line, 'legal_entity': t.legal_entity, 'tier': t.tier, 'workflow': t.workflow} as segment
from held h
join risked c using (lead_key, promise)
join timelines_fresh t on t.lead_key = h.lead_key
asof left join cat_openings d on d.calendar = c.calendar and d.worked_before_us < h.due_us
asof left join cat_openings r on r.calendar = c.calendar and r.worked_before_us < h.risk_us
