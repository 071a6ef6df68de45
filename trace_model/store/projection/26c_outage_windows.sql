-- outage_windows (scratch): one row per stretch of a system's runs in which outages are derived again: what touched runs failed of, and every
-- known outage that one of them may belong to, lengthen or end. Stretches further apart than answers reach (outage_before, outage_after) never meet.
-- $min_seq, $max_seq: every span of the touched traces was recorded between them.
with touched as (
    select * from runs_before
    union
    select system, ended_at, signature from operation_runs
    where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
),
hours as (
    select distinct system, date_trunc('hour', ended_at) as hour from touched
),
stretches as (
    select t.system, outage_kind(availability(s.class, s.category, s.confidence)) as kind, t.ended_at as from_at, t.ended_at as until_at
    from touched t join signatures s using (signature)
    union
    select o.system, o.kind, o.first_failed_at, o.last_failed_at
    from outages o
    semi join hours h on h.system = o.system and o.first_failed_at <= h.hour + interval 1 hour + outage_after() and o.closed_at >= h.hour
),
parted as (
    select *, max(until_at) over (partition by system, kind order by from_at, until_at rows between unbounded preceding and 1 preceding) as until_before
    from stretches
    where kind is not null
),
numbered as (
    select *, count(case when until_before is null or from_at > until_before + outage_before() + outage_after() then 1 end) over (
        partition by system, kind order by from_at, until_at rows unbounded preceding) as number
    from parted
)
select system, kind, min(from_at) as from_at, max(until_at) as until_at
from numbered
group by system, kind, number
