-- promises: one row per promise, segment value and period: how well it was kept. Clocks count in the period in which they fell due or were met.
-- $segment 'all'|'region'|'product_line'|'legal_entity'|'tier'|'workflow'; $period 'day'|'week'|'month'|'all'; $days int; $as_of timestamptz
-- columns: promise, label, segment, value, period_start (UTC), met_count, met_late_count, breached_count, running_count, attainment (0..1), p50_s, p90_s, p95_s
-- Labels are joined to what was counted, and instants are cut into periods as plain UTC: millions of clocks are read for one screen.
with decided as (
    select c.promise, c.due_at, case when c.stopped_at <= $as_of then c.stopped_at end as stopped_at, clock_state(c, $as_of) as state,
        epoch_us(c.stopped_at) - epoch_us(c.started_at) as lasted_us,
        case $segment when 'region' then t.region when 'product_line' then t.product_line when 'legal_entity' then t.legal_entity when 'tier' then t.tier when 'workflow' then t.workflow
            else 'all' end as value
    from clocks_at($as_of) c join timelines t using (lead_key)
    where c.started_at > $as_of - to_days($days)
),
placed as (
    select *, case when $period <> 'all' then date_trunc(
        coalesce(nullif($period, 'all'), 'year'), make_timestamp(epoch_us(least(coalesce(stopped_at, due_at), due_at)))) end as period_start
    from decided
),
counted as (
    select promise, coalesce(value, 'not given') as value, period_start,
        count(*) filter (state = 'met') as met_count, count(*) filter (state = 'met_late') as met_late_count,
        count(*) filter (state = 'breached') as breached_count, count(*) filter (state in ('running', 'at_risk', 'paused')) as running_count,
        quantile_cont(lasted_us, [0.5, 0.9, 0.95]) filter (state in ('met', 'met_late')) as lasted_us
    from placed
    group by all
)
select c.promise, p.label, $segment as segment, c.value, c.period_start::timestamptz as period_start, c.met_count, c.met_late_count, c.breached_count,
    c.running_count,
    case when c.met_count + c.met_late_count + c.breached_count > 0
        then c.met_count / (c.met_count + c.met_late_count + c.breached_count) end as attainment,
    c.lasted_us[1] / 1e6 as p50_s, c.lasted_us[2] / 1e6 as p90_s, c.lasted_us[3] / 1e6 as p95_s
from counted c join cat_promises p using (promise)
order by p.position, c.value, c.period_start
