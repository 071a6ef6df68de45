-- forecast_later_counts: one row per promise, segment, way to a later promise and age bin: of the clocks that stopped (or run) in it, whose later milestone should
-- have come by $as_of if every promise on the way were kept to the second, how many came after that. What forecasts of later promises are held against.
-- Decided is what was planned by then, whatever became of it: so none is left out for being late. A cancelled order ends everything.
-- $as_of timestamptz: later facts are unknown; $since timestamptz: clocks that started before are left out
-- $promises, $laters varchar[], $after_due_s double[], side by side: a later promise, and how long after the due instant of the first its stop is planned
-- $edges double[]: ages at which bins begin, ascending from 0, as shares of what is promised; $per_mille int: of so many orders in a thousand (1000: all)
-- columns: promise, path varchar[], later, after_due_s (which of several ways to it), bin (from 0), decided_count, late_count
with edges as (
    select unnest($edges) as from_share, generate_subscripts($edges, 1) - 1 as bin
),
chains as (
    select unnest($promises) as promise, unnest($laters) as later, unnest($after_due_s) as after_due_s
),
decided as (
    select c.lead_key, c.promise, h.later, h.after_due_s, c.age_s / c.within_s as share, c.due_at + to_microseconds((h.after_due_s * 1000000)::bigint) as planned_at
    from clock_ages($as_of) c join chains h on h.promise = c.promise
    where c.started_at >= $since and c.lead_key % 1000 < $per_mille and planned_at <= $as_of
),
judged as (
    select d.promise, d.later, d.after_due_s, d.share, segment_path(t.tier, t.product_line, t.region) as path,
        coalesce(least(e.reached_at, t.cancelled_at) > d.planned_at, true) as is_late
    from decided d
    join timelines t on t.lead_key = d.lead_key
    join cat_promises p on p.promise = d.later
    semi join cat_promise_variants v on v.promise = d.later and promise_holds(v, t)
    left join timeline_milestones e on e.lead_key = d.lead_key and e.milestone = p.stop
)
select j.promise, j.path, j.later, j.after_due_s, e.bin, count(*) as decided_count, count(*) filter (j.is_late) as late_count
from judged j asof join edges e on j.share >= e.from_share
group by all
order by all
