-- timelines: one row per lead object. Replaced by lead_key. Instants only: what depends on now is asked at read.
-- completed_at: every final milestone that this segment expects is complete. stuck_at: when silence becomes 'stuck' by
-- the catalogue; where history says how long like orders stand still, that holds (timeline_states).
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
)
select
    o.object_key as lead_key, o.object_type as lead_type, o.object_id as lead_id, o.scope as lead_scope, o.customer_id, o.customer_name,
    o.amount, o.currency, (o.amount * r.rate)::decimal(18, 2) as reporting_amount, o.quantity,
    o.region, o.product_line, o.legal_entity, o.tier, o.workflow,
    least(coalesce(s.first_at, n.first_seen_at), n.first_seen_at) as started_at,
    coalesce(s.last_at, n.first_seen_at) as last_progress_at,
    s.last_milestone,
    coalesce(s.last_at, n.first_seen_at) + to_seconds(k.stuck_after_s) as stuck_at,
    case when f.expected_count > 0 and f.expected_count = f.complete_count then f.complete_at end as completed_at,
    s.cancelled_at
from timeline_members_fresh m
join near_rows o on o.object_key = m.lead_key
cross join cat_settings k
left join milestones s on s.lead_key = m.lead_key
left join seen n on n.lead_key = m.lead_key
left join finals f on f.lead_key = m.lead_key
left join cat_rates r on r.currency = o.currency
where m.depth = 0
