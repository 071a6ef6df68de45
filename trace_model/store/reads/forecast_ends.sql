-- forecast_ends: one row per order and promise that is one of its promises, begun or not: when its milestones truly came.
-- What forecasts of later promises are judged by. A cancelled order ends everything.
-- $since timestamptz: orders that started from then on; $per_mille int: of so many orders in a thousand (1000: all)
-- columns: lead_key, promise, start_at, stop_at (null: not yet)
select t.lead_key, p.promise, s.reached_at as start_at, least(e.reached_at, t.cancelled_at) as stop_at
from timelines t
join cat_promises p on true
semi join cat_promise_variants v on v.promise = p.promise and promise_holds(v, t)
left join timeline_milestones s on s.lead_key = t.lead_key and s.milestone = p.start
left join timeline_milestones e on e.lead_key = t.lead_key and e.milestone = p.stop
where p.start <> 'start' and t.started_at >= $since and t.lead_key % 1000 < $per_mille
order by t.lead_key, p.position
