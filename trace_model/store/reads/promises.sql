-- promises: one row per promise, segment value and period: how well it was kept. Clocks count in the period in which they fell due or were met.
-- $segment 'all'|'region'|'product_line'|'legal_entity'|'tier'|'workflow'; $period 'day'|'week'|'month'|'all'; $days int; $as_of timestamptz
-- columns: promise, label, segment, value, period_start (UTC), met_count, met_late_count, breached_count, running_count, attainment (0..1), p50_s, p90_s, p95_s
-- Labels are joined to what was counted, the segment stands at the clock, and instants are cut into periods as plain UTC: millions of clocks are read for one screen.
with decided as (
    select c.promise, c.due_at, case when c.stopped_at <= $as_of then c.stopped_at end as stopped_at,
        stopped_in_time(c) as is_in_time, is_overdue(c, $as_of) as is_overdue,
        case when c.stopped_at <= $as_of then epoch_us(c.stopped_at) - epoch_us(c.started_at) end as lasted_us,
        case $segment when 'region' then c.segment.region when 'product_line' then c.segment.product_line when 'legal_entity' then c.segment.legal_entity
            when 'tier' then c.segment.tier when 'workflow' then c.segment.workflow else 'all' end as value
    from clocks_at($as_of) c
    where c.started_at > $as_of - to_days($days)
),
placed as (
    select *, case when $period <> 'all' then date_trunc(
        coalesce(nullif($period, 'all'), 'year'), make_timestamp(epoch_us(least(coalesce(stopped_at, due_at), due_at)))) end as period_start
    from decided
),
counted as (
    select promise, coalesce(value, 'not given') as value, period_start,
        count(*) filter (stopped_at is not null and is_in_time) as met_count, count(*) filter (stopped_at is not null and not is_in_time) as met_late_count,
        count(*) filter (stopped_at is null and is_overdue) as breached_count, count(*) filter (stopped_at is null and not is_overdue) as running_count,
        quantile_cont(lasted_us, [0.5, 0.9, 0.95]) as lasted_us
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
