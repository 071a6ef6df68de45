-- clock_targets (scratch): clock_starts with where they begin and what they promise, in working time.
-- Positions (_us) are microseconds of working time since the calendar's first opening: start_us of the start, target_us and risk_us after it.
with placed as (
    select c.*,
        worked_us(o, c.counts_from_at) as start_us
    from clock_starts c
    asof left join cat_openings o on o.calendar = c.calendar and o.opens_at <= c.counts_from_at
),
promised as (
    select *, (within_s * 1000000)::bigint as target_us from placed where closes_at is null
    union all
    select p.*,
        coalesce((p.within_s * 1000000)::bigint, worked_us(o, p.closes_at) - p.start_us)
    from (from placed where closes_at is not null) p
    asof left join cat_openings o on o.calendar = p.calendar and o.opens_at <= p.closes_at
)
select *, (target_us * at_risk_part)::bigint as risk_us
from promised
