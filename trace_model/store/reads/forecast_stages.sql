-- forecast_stages: one row per promise, as a link of the chain of milestones.
-- Length and calendar are those of the widest variant. A promise due at a month-end close has no length, and is no link.
-- columns: promise, start, stop, within_s (working), elapsed_per_s (real seconds that pass per working second, over the calendar's years)
select p.promise, any_value(p.start) as start, any_value(p.stop) as stop, any_value(p.within_s) as within_s,
    (epoch(max(o.closes_at)) - epoch(min(o.opens_at))) / sum(epoch(o.closes_at) - epoch(o.opens_at)) as elapsed_per_s
from cat_promises p join cat_openings o using (calendar)
where p.within_s is not null
group by p.promise, p.position
order by p.position
