-- promises: one row per promise, segment value and period: how well it was kept. Clocks count in the period in which they fell due or were met.
-- $segment 'all'|'region'|'product_line'|'legal_entity'|'tier'|'workflow'; $period 'day'|'week'|'month'|'all'; $days int; $as_of timestamptz
-- columns: promise, label, segment, value, period_start (UTC), met_count, met_late_count, breached_count, running_count, attainment (0..1), p50_s, p90_s, p95_s
with decided as (
    select c.*, case $segment when 'region' then t.region when 'product_line' then t.product_line when 'legal_entity' then t.legal_entity when 'tier' then t.tier when 'workflow' then t.workflow else 'all' end as value,
        case $period when 'all' then null else date_trunc($period, least(coalesce(c.stopped_at_then, c.due_at), c.due_at)) end as period_start
    from clock_states($as_of) c join timelines t using (lead_key)
    where c.started_at > $as_of - to_days($days)
)
select promise, any_value(label) as label, $segment as segment, coalesce(value, 'not given') as value, period_start,
    count(*) filter (state = 'met') as met_count, count(*) filter (state = 'met_late') as met_late_count,
    count(*) filter (state = 'breached') as breached_count, count(*) filter (state in ('running', 'at_risk', 'paused')) as running_count,
    case when count(*) filter (state in ('met', 'met_late', 'breached')) > 0
        then count(*) filter (state = 'met') / count(*) filter (state in ('met', 'met_late', 'breached')) end as attainment,
    quantile_cont(epoch(stopped_at_then) - epoch(started_at), 0.5) filter (state in ('met', 'met_late')) as p50_s,
    quantile_cont(epoch(stopped_at_then) - epoch(started_at), 0.9) filter (state in ('met', 'met_late')) as p90_s,
    quantile_cont(epoch(stopped_at_then) - epoch(started_at), 0.95) filter (state in ('met', 'met_late')) as p95_s
from decided
group by promise, position, value, period_start
order by position, value, period_start
