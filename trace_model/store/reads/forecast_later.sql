-- forecast_later: one row per order and later promise that has not begun at $as_of: when its milestone will come, and the chance that
-- it comes after its planned instant, because of a clock that runs now. Most money at stake first: chance x amount.
-- Where several running clocks lead to the same promise, the one by which it comes last holds. Empty before the first fit.
-- $lead_key ubigint: of this timeline alone; $promise (the later one), $region, $product_line, $legal_entity varchar; each null for all
-- $as_of timestamptz; $offset, $limit int
-- optional: $lead_key, $promise, $region, $product_line, $legal_entity
-- columns: lead_key, lead_type, lead_id, lead_scope, customer_name, reporting_amount, promise, label, milestone (what it ends with),
--   because, because_label, because_state (running, at_risk, breached), owner_team (of what runs now), planned_at (all promises on the way kept to the second), expected_at
--   (median), late_at (one in ten comes later), chance (0..1), at_stake (reporting currency), fitted_as_of; of all that match: total_count,
--   likely_count (a chance of one half or more), total_at_stake
with latest as (
    select max(fitted_as_of) as fitted_as_of from forecast_curves where fitted_as_of <= $as_of
),
running as (
    select a.lead_key, a.promise, a.due_at, a.age_s / a.within_s as age_share, p.label, v.owner_team,
        case when a.due_at < $as_of then 'breached' when a.at_risk_at <= $as_of then 'at_risk' else 'running' end as state,
        t.lead_type, t.lead_id, t.lead_scope, t.customer_name, t.reporting_amount, segment_path(t.tier, t.product_line, t.region) as path
    from clock_ages($as_of) a
    join timelines t using (lead_key)
    join cat_promises p on p.promise = a.promise
    join cat_promise_variants v on v.promise = a.promise and v.variant = a.variant
    where a.stopped_at is null and ($lead_key is null or a.lead_key = $lead_key)
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
      and coalesce(t.completed_at > $as_of, true) and coalesce(t.cancelled_at > $as_of, true)
),
ages as (
    select distinct from_share from forecast_later
),
aged as (
    select r.*, g.from_share from running r asof join ages g on r.age_share >= g.from_share
),
pushed as (
    select a.*, f.later, f.chance, l.fitted_as_of, a.due_at + to_microseconds((f.after_due_s * 1000000)::bigint) as planned_at,
        $as_of + to_microseconds((f.p50_s * 1000000)::bigint) as expected_at,
        $as_of + to_microseconds((f.p90_s * 1000000)::bigint) as late_at
    from aged a
    cross join (select unnest([0, 1, 2, 3]) as depth) d
    join latest l on true
    join forecast_later f on f.fitted_as_of = l.fitted_as_of and f.promise = a.promise and f.from_share = a.from_share
        and ($promise is null or f.later = $promise) and f.segment = segment_name(a.path, d.depth)
    join timelines t on t.lead_key = a.lead_key
    semi join cat_promise_variants p on p.promise = f.later and promise_holds(p, t)
    anti join clocks c on c.lead_key = a.lead_key and c.promise = f.later and c.started_at <= $as_of
    qualify row_number() over (partition by a.lead_key, a.promise, f.later order by d.depth desc) = 1
),
held as (
    select * from pushed
    qualify row_number() over (partition by lead_key, later order by expected_at desc, promise) = 1
)
select h.lead_key, h.lead_type, h.lead_id, h.lead_scope, h.customer_name, h.reporting_amount, h.later as promise, p.label, p.stop as milestone,
    h.owner_team, h.promise as because, h.label as because_label, h.state as because_state, h.planned_at, h.expected_at, h.late_at, h.chance,
    (h.chance * h.reporting_amount)::decimal(18, 2) as at_stake, h.fitted_as_of, count(*) over () as total_count,
    count(case when h.chance >= 0.5 then 1 end) over () as likely_count, sum(h.chance * h.reporting_amount) over ()::decimal(18, 2) as total_at_stake
from held h join cat_promises p on p.promise = h.later
order by at_stake desc nulls last, chance desc, lead_id, p.position
limit $limit offset $offset
