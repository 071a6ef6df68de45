-- clocks: one row per clock and stretch of time in which the same was known of its pauses; mostly one. Replaced by lead_key.
-- At an instant, the row with holds_from <= it < holds_until (null: for good) holds: so a past instant is never answered with a pause
-- that came later. due_at is null while it is paused (paused_by names the pause), and where the calendar's tables do not reach.
-- target_s: the working seconds promised. segment: that of the order, so that attainment reads millions of clocks and joins none.
-- The rules are those of docs/working-time.md.
with held as (
    select *, started_at as holds_from, null::timestamptz as holds_until, null::varchar as paused_by,
        start_us + target_us as due_at_us, start_us + risk_us as risk_at_us
    from clock_targets anti join clock_stretches using (lead_key, promise)
    union all
    select c.*, s.holds_from, s.holds_until, s.paused_by,
        (c.start_us + c.target_us + s.due_delay_us)::bigint, (c.start_us + c.risk_us + s.risk_delay_us)::bigint
    from clock_stretches s join clock_targets c using (lead_key, promise)
)
select h.lead_key, h.promise, h.variant, h.started_at, h.holds_from, h.holds_until,
    case
        when h.closes_at is not null then least(h.closes_at, r.opens_at + to_microseconds((h.risk_at_us - r.worked_before_us)::bigint))
        else instant_worked_us(r, h.risk_at_us)
    end as at_risk_at,
    case
        when h.paused_by is not null then null
        when h.closes_at is not null then h.closes_at
        else instant_worked_us(d, h.due_at_us)
    end as due_at,
    h.paused_by, h.stopped_at, h.target_us / 1e6 as target_s,
    {'region': t.region, 'product_line': t.product_line, 'legal_entity': t.legal_entity, 'tier': t.tier, 'workflow': t.workflow} as segment
from held h
join timelines_fresh t on t.lead_key = h.lead_key
asof left join cat_openings d on d.calendar = h.calendar and d.worked_before_us < h.due_at_us
asof left join cat_openings r on r.calendar = h.calendar and r.worked_before_us < h.risk_at_us
