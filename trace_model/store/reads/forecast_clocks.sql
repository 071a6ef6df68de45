-- forecast_clocks: one row per open clock at $as_of with its chance to breach. Most money at stake first: chance x amount.
-- Curves are those of the last fit that knew nothing later than $as_of; without one the chance is the elapsed share, like_count 0.
-- $promise, $region, $product_line, $legal_entity varchar or null; $with_breached boolean; $offset, $limit int; $as_of timestamptz; $lead_key ubigint:
--   of this timeline alone
-- optional: $lead_key
-- columns: lead_type, lead_id, lead_scope, customer_name, reporting_amount, promise, label, stop, owner_team, state, started_at, due_at,
--   age_share (1 = due), chance (0..1; 1 once breached), at_stake (reporting currency), segment (the like orders; '' all of
--   the promise), like_count (like clocks seen at this age), fitted_as_of; of all that match: total_count, likely_count (a chance of one half or
--   more), total_at_stake
with latest as (
    select max(fitted_as_of) as fitted_as_of from forecast_curves where fitted_as_of <= $as_of
),
running as (
    select a.lead_key, a.promise, a.started_at, a.due_at, a.age_s / a.within_s as age_share, p.label, p.stop, v.owner_team, p.position,
        case when a.due_at < $as_of then 'breached' when a.at_risk_at <= $as_of then 'at_risk' else 'running' end as state,
        t.lead_type, t.lead_id, t.lead_scope, t.customer_name, t.reporting_amount, segment_path(t.tier, t.product_line, t.region) as path
    from clock_ages($as_of) a
    join timelines t using (lead_key)
    join cat_promises p on p.promise = a.promise
    join cat_promise_variants v on v.promise = a.promise and v.variant = a.variant
    where a.stopped_at is null and ($lead_key is null or a.lead_key = $lead_key)
      and coalesce(t.completed_at > $as_of, true) and coalesce(t.cancelled_at > $as_of, true)
      and ($with_breached or a.due_at >= $as_of)
      and ($promise is null or a.promise = $promise)
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
),
curves as (
    select c.* from forecast_curves c join latest using (fitted_as_of)
),
segments as (
    select distinct promise, segment from curves
),
due as (
    select promise, segment, hazard_before as hazard_at_due from curves where from_share = 1
),
placed as (
    -- the narrowest segment that has a curve
    select r.*, s.segment, d.depth
    from running r cross join (select unnest([0, 1, 2, 3]) as depth) d
    left join segments s on s.promise = r.promise and s.segment = segment_name(r.path, d.depth)
    qualify row_number() over (partition by r.lead_key, r.promise order by s.segment is null, d.depth desc) = 1
),
chances as (
    select p.*, coalesce(c.like_count, 0) as like_count, c.fitted_as_of,
        case
            when p.state = 'breached' then 1.0
            when c.promise is null then least(p.age_share, 1.0)
            else least(exp(c.hazard_before + c.hazard * (p.age_share - c.from_share) / (c.to_share - c.from_share) - d.hazard_at_due), 1.0)
        end as chance
    from placed p
    asof left join curves c on c.promise = p.promise and c.segment = p.segment and c.from_share <= p.age_share
    left join due d on d.promise = p.promise and d.segment = p.segment
)
select lead_type, lead_id, lead_scope, customer_name, reporting_amount, promise, label, stop, owner_team, state, started_at, due_at, age_share, chance,
    (chance * reporting_amount)::decimal(18, 2) as at_stake, coalesce(segment, '') as segment, like_count, fitted_as_of,
    count(*) over () as total_count, count(case when chance >= 0.5 then 1 end) over () as likely_count, sum(chance * reporting_amount) over ()::decimal(18, 2) as total_at_stake
from chances
order by at_stake desc nulls last, chance desc, due_at, lead_id, promise
limit $limit offset $offset
