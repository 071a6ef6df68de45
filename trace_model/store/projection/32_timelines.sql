-- timelines: one row per lead object. Replaced by lead_key. Instants only: what depends on now is asked at read.
-- completed_at: every final milestone that this segment expects is complete. stuck_at: when silence becomes 'stuck' by
-- the catalogue, in the working time of its calendar (null: where that does not reach); where history says how long like orders stand still, that
-- holds (timeline_states).
with milestones as (
    select t.lead_key, min(t.reached_at) as first_at, max(t.last_at) as last_at,
        arg_max(t.milestone, (t.last_at, c.position)) filter (t.last_at is not null) as last_milestone,
        min(t.reached_at) filter (c.cancels) as cancelled_at
    from timeline_milestones_fresh t join cat_milestones c using (milestone)
    group by t.lead_key
),
seen as (
    select m.lead_key, min(o.first_seen_at) as first_seen_at
    from timeline_members_fresh m join near_rows o using (object_key)
    where m.direction <> 'up' or m.depth <= 1
    group by m.lead_key
),
finals as (
    select m.lead_key, count(*) as expected_count, count(t.complete_at) as complete_count, max(t.complete_at) as complete_at
    from timeline_members_fresh m
    join near_rows o on o.object_key = m.lead_key
    join cat_milestones c on c.is_final
    left join timeline_milestones_fresh t on t.lead_key = m.lead_key and t.milestone = c.milestone
    where m.depth = 0
      and expects(c, o)
    group by m.lead_key
),
known as (
    select
        o.object_key as lead_key, o.object_type as lead_type, o.object_id as lead_id, o.scope as lead_scope, o.customer_id, o.customer_name,
        o.amount, o.currency, try_cast(o.amount * r.rate as decimal(18, 2)) as reporting_amount, o.quantity,
        o.region, o.product_line, o.legal_entity, o.tier, o.workflow,
        least(coalesce(s.first_at, n.first_seen_at), n.first_seen_at) as started_at,
        coalesce(s.last_at, n.first_seen_at) as last_progress_at,
        s.last_milestone,
        case when f.expected_count > 0 and f.expected_count = f.complete_count then f.complete_at end as completed_at,
        s.cancelled_at,
        coalesce(c.stuck_calendar, k.stuck_calendar) as calendar, k.stuck_after_s
    from timeline_members_fresh m
    join near_rows o on o.object_key = m.lead_key
    cross join cat_settings k
    left join milestones s on s.lead_key = m.lead_key
    left join cat_milestones c on c.milestone = s.last_milestone
    left join seen n on n.lead_key = m.lead_key
    left join finals f on f.lead_key = m.lead_key
    left join cat_rates r on r.currency = o.currency
    where m.depth = 0
),
placed as (
    select k.* exclude (stuck_after_s), worked_us(o, k.last_progress_at) + k.stuck_after_s * 1000000 as stuck_us
    from known k asof left join cat_openings o on o.calendar = k.calendar and o.opens_at <= k.last_progress_at
)
select p.* exclude (calendar, stuck_us), instant_worked_us(o, p.stuck_us) as stuck_at
from placed p asof left join cat_openings o on o.calendar = p.calendar and o.worked_before_us < p.stuck_us
