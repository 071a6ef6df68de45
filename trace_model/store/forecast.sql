-- What forecasts keep and share. Run at each opening of the store; safe to run again.

-- forecast_curves: one row per fit, promise, segment and age bin. Derived: refreshed by a worker, dropped at will.
-- fitted_as_of: the curves know nothing that was later than this. One fit a day is kept, so that a past instant can be asked
-- for with the curves of that day. segment: its names, widest first, joined by ' / '; empty is the whole promise.
create table if not exists forecast_curves (
    fitted_as_of timestamptz, catalogue_hash varchar, promise varchar, segment varchar, from_share double, to_share double,
    like_count bigint, hazard_before double, hazard double
);
-- forecast_later: one row per fit, promise, segment, age bin and later promise that has not begun (trace_model.forecast.Later).
create table if not exists forecast_later (
    fitted_as_of timestamptz, promise varchar, segment varchar, from_share double, later varchar, chance double, after_due_s double,
    p50_s double, p90_s double
);

-- silence_limits: one row per fit, milestone and segment: how long like orders are at most without progress after it (reads/silence_limits.sql).
-- A fit holds from fitted_as_of until the next one: at least a day later, or when history had grown by a tenth. counted_in: what its seconds are; it
-- says nothing once the milestone's standstills count in another calendar (cat_milestones).
create table if not exists silence_limits (
    fitted_as_of timestamptz, milestone varchar, segment varchar, limit_s double, like_count bigint, counted_in varchar
);

-- clock_ages: one row per clock that had started at `as_of`, with the working time it had run by then, or until it stopped.
-- age_s is reckoned back from due_at, where the cut-off and everything else that moves a deadline is already in. Clocks that are paused
-- have no due instant, and no age; those that stopped in a pause are left out too.
create or replace macro clock_ages(as_of) as table
with known as (
    select lead_key, promise, variant, started_at, at_risk_at, due_at, target_s, case when stopped_at <= as_of then stopped_at end as stopped_at
    from clocks
    where holds_from <= as_of and (holds_until is null or holds_until > as_of) and due_at is not null and target_s > 0
),
instants as (
    select k.*, v.calendar, coalesce(k.stopped_at, as_of) as at_instant
    from known k join cat_promise_variants v using (promise, variant)
),
placed as (
    select i.*,
        o.worked_before_s + least(epoch(i.at_instant) - epoch(o.opens_at), epoch(o.closes_at) - epoch(o.opens_at)) as position_s
    from instants i
    asof join cat_openings o on o.calendar = i.calendar and o.opens_at <= i.at_instant
)
select p.lead_key, p.promise, p.variant, p.calendar, p.started_at, p.at_risk_at, p.due_at, p.stopped_at, p.target_s as within_s,
    greatest(p.target_s - (o.worked_before_s + least(epoch(p.due_at) - epoch(o.opens_at), epoch(o.closes_at) - epoch(o.opens_at)) - p.position_s), 0) as age_s
from placed p
asof join cat_openings o on o.calendar = p.calendar and o.opens_at <= p.due_at;
