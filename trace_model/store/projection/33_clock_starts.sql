-- clock_starts (scratch): one row per timeline and promise that has begun, with the variant that counts for it: of those that hold for
-- the order and were valid when the clock started, the most specific. Where none is, no clock runs.
-- stopped_at: the stop milestone, or the end of the timeline. counts_from_at: the start, past the cut-off. closes_at: the month-end close
-- of the start, for promises due then.
with begun as (
    select s.lead_key, p.promise, p.stop, s.reached_at as started_at
    from timeline_milestones_fresh s join cat_promises p on p.start = s.milestone
    where s.reached_at is not null
    union all
    select t.lead_key, p.promise, p.stop, t.started_at from timelines_fresh t join cat_promises p on p.start = 'start'
),
segments as (
    -- there are few, and thousands of orders in each: what a variant asks of a segment is asked once
    select *, row_number() over () as segment_no
    from (select distinct region, product_line, legal_entity, tier, workflow from timelines_fresh)
),
offered as (
    select s.segment_no, v.promise, v.rank, v.valid_from_at, v.valid_until_at, v.customers, v.min_amount, v.below_amount
    from segments s join cat_promise_variants v on expects(v, s)
),
leads as (
    select t.lead_key, t.customer_id, t.reporting_amount, t.cancelled_at, t.completed_at, s.segment_no
    from timelines_fresh t
    join segments s on s.region is not distinct from t.region and s.product_line is not distinct from t.product_line
        and s.legal_entity is not distinct from t.legal_entity and s.tier is not distinct from t.tier and s.workflow is not distinct from t.workflow
),
chosen as (
    select b.lead_key, b.promise, any_value(b.stop) as stop, any_value(b.started_at) as started_at, any_value(t.cancelled_at) as cancelled_at,
        any_value(t.completed_at) as completed_at, min(v.rank) as rank
    from begun b
    join leads t on t.lead_key = b.lead_key
    join offered v on v.promise = b.promise and v.segment_no = t.segment_no and holds_for_order(v, t)
        and (v.valid_from_at is null or b.started_at >= v.valid_from_at)
        and (v.valid_until_at is null or b.started_at < v.valid_until_at)
    group by b.lead_key, b.promise
),
started as (
    select c.lead_key, c.promise, v.variant, v.calendar, v.within_s, v.at_risk_part, v.by_close, c.started_at,
        least(e.reached_at, c.cancelled_at, case when e.reached_at is null then c.completed_at end) as stopped_at
    from chosen c
    join cat_promise_variants v on v.promise = c.promise and v.rank = c.rank
    left join timeline_milestones_fresh e on e.lead_key = c.lead_key and e.milestone = c.stop
),
counted as (
    -- most calendars have no cut-off
    select *, started_at as counts_from_at from started where calendar not in (select calendar from cat_start_shifts)
    union all
    select s.*, greatest(s.started_at, case when s.started_at <= h.until_at then h.counts_from_at end)
    from (from started where calendar in (select calendar from cat_start_shifts)) s
    asof left join cat_start_shifts h on h.calendar = s.calendar and h.from_at < s.started_at
)
-- and most promises no month-end close
select * exclude (by_close), null::timestamptz as closes_at from counted where not by_close
union all
select c.* exclude (by_close), m.closes_at
from (from counted where by_close) c
asof left join cat_closes m on m.calendar = c.calendar and m.from_at <= c.started_at
