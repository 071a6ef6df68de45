-- outage_windows (scratch) of a rebuild: every stretch of a system's runs in which one failed, parted as in 26c_outage_windows.
with failing as (
    select r.system, outage_kind(availability(s.class, s.category, s.confidence)) as kind, r.ended_at
    from operation_runs r join signatures s using (signature)
),
parted as (
    select *, lag(ended_at) over (partition by system, kind order by ended_at) as ended_before
    from failing
    where kind is not null
),
numbered as (
    select *, count(case when ended_before is null or ended_at > ended_before + outage_before() + outage_after() then 1 end) over (
        partition by system, kind order by ended_at rows unbounded preceding) as number
    from parted
)
select system, kind, min(ended_at) as from_at, max(ended_at) as until_at
from numbered
group by system, kind, number
