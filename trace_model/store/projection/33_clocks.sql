-- clocks: one row per timeline and promise that has started. Replaced by lead_key.
-- Due instants are read from the calendar tables (docs/working-time.md): the start's working-time position plus the
-- promised seconds is looked up among the openings. stopped_at: the stop milestone, or the end of the timeline.
with started as (
    select t.lead_key, p.promise, p.calendar, p.within_s, p.at_risk_s,
        case when p.start = 'start' then t.started_at else s.reached_at end as started_at,
        least(e.reached_at, t.cancelled_at, case when e.reached_at is null then t.completed_at end) as stopped_at
    from timelines_fresh t
    join cat_promises p on (len(p.regions) = 0 or list_contains(p.regions, t.region))
        and (len(p.product_lines) = 0 or list_contains(p.product_lines, t.product_line))
        and (len(p.legal_entities) = 0 or list_contains(p.legal_entities, t.legal_entity))
        and (len(p.tiers) = 0 or list_contains(p.tiers, t.tier))
        and (len(p.workflows) = 0 or list_contains(p.workflows, t.workflow))
        and (p.min_amount is null or t.reporting_amount >= p.min_amount)
    left join timeline_milestones_fresh s on s.lead_key = t.lead_key and s.milestone = p.start
    left join timeline_milestones_fresh e on e.lead_key = t.lead_key and e.milestone = p.stop
),
counted as (
    -- the cut-off: what starts late in the day counts from the next opening
    select c.*, case when h.until_at is not null and c.started_at <= h.until_at then h.counts_from_at else c.started_at end as counts_from_at
    from started c
    asof left join cat_start_shifts h on h.calendar = c.calendar and h.from_at < c.started_at
    where c.started_at is not null
),
placed as (
    select c.*,
        coalesce(o.worked_before_s + least(epoch(c.counts_from_at) - epoch(o.opens_at), epoch(o.closes_at) - epoch(o.opens_at)), 0) as position_s
    from counted c
    asof left join cat_openings o on o.calendar = c.calendar and o.opens_at <= c.counts_from_at
),
targets as (
    select lead_key, promise, calendar, started_at, stopped_at, 'due_at' as what, position_s + within_s as target_s from placed
    union all
    select lead_key, promise, calendar, started_at, stopped_at, 'at_risk_at', position_s + at_risk_s from placed
),
found as (
    select t.*, o.opens_at + to_microseconds(round((t.target_s - o.worked_before_s) * 1000000)::bigint) as at_instant
    from targets t
    asof left join cat_openings o on o.calendar = t.calendar and o.worked_before_s < t.target_s
)
select lead_key, promise, started_at,
    max(at_instant) filter (what = 'at_risk_at') as at_risk_at,
    max(at_instant) filter (what = 'due_at') as due_at,
    any_value(stopped_at) as stopped_at
from found
group by lead_key, promise, started_at
