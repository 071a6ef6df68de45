-- export_logs: one row per event log that was loaded, and one with log null for everything that systems said themselves. By name.
-- columns: log, span_count
select case when scope = 'cashtrail.ocel' then resource->>'$."ocel.log"' end as log, count(*) as span_count
from spans
group by log
order by log nulls last
