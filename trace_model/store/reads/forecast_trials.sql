-- forecast_trials: one row per clock that fell due by $as_of and age of $shares at which it was still running: what a forecast
-- made at that instant had to say, and whether the clock then passed its due.
-- $as_of timestamptz: due by then, so that no trial is left out for what came of it; $since timestamptz: started from then on
-- $shares double[]: ages, as shares of what is promised, 0 < share < 1; $per_mille int: of so many orders in a thousand (1000: all)
-- columns: lead_key, promise, path varchar[], within_s, share, started_at, tried_at, due_at, came (bool)
with due as (
    select c.lead_key, c.promise, c.started_at, c.due_at, c.within_s, c.calendar, coalesce(c.stopped_at, 'infinity'::timestamptz) as stopped_at,
        segment_path(t.tier, t.product_line, t.region) as path
    from clock_ages($as_of) c
    join timelines t using (lead_key)
    where c.due_at <= $as_of and c.started_at >= $since and c.lead_key % 1000 < $per_mille
),
placed as (
    select d.*,
        o.worked_before_s + least(epoch(d.due_at) - epoch(o.opens_at), epoch(o.closes_at) - epoch(o.opens_at)) as due_position_s
    from due d
    asof join cat_openings o on o.calendar = d.calendar and o.opens_at <= d.due_at
),
asked as (
    select p.*, s.share, p.due_position_s - (1 - s.share) * p.within_s as target_s
    from placed p cross join (select unnest($shares) as share) s
),
tried as (
    select a.*, o.opens_at + to_microseconds(round((a.target_s - o.worked_before_s) * 1000000)::bigint) as tried_at
    from asked a
    asof join cat_openings o on o.calendar = a.calendar and o.worked_before_s < a.target_s
)
select lead_key, promise, path, within_s, share, started_at, tried_at, due_at, stopped_at > due_at as came
from tried
where stopped_at > tried_at
order by lead_key, promise, share
