-- kpi_resolutions: one row per class and week (seven days that end with $as_of; 0 is the latest) in which exceptions were resolved: how long they were open.
-- By class, latest week first.
-- $weeks int; $as_of timestamptz
-- columns: class, week, from_at, until_at, resolved_count, p50_s, p90_s, p95_s
select class, weeks_ago(resolved_at_then, $as_of) as week, $as_of::timestamptz - to_days(7 * (week + 1)) as from_at,
    $as_of::timestamptz - to_days(7 * week) as until_at, count(*) as resolved_count,
    quantile_cont(epoch(resolved_at_then) - epoch(opened_at), 0.5) as p50_s, quantile_cont(epoch(resolved_at_then) - epoch(opened_at), 0.9) as p90_s,
    quantile_cont(epoch(resolved_at_then) - epoch(opened_at), 0.95) as p95_s
from known_failures($as_of)
where state = 'resolved' and resolved_at_then <= $as_of and resolved_at_then > $as_of::timestamptz - to_days(7 * $weeks)
group by class, week
order by class, week
