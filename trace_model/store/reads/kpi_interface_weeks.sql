-- kpi_interface_weeks: one row per week (seven days that end with $as_of; 0 is the latest) with runs: success rate, duplicate rate and retry volume of all
-- interfaces together. Latest week first.
-- $weeks int; $as_of timestamptz
-- columns: week, from_at, until_at, run_count, success_rate (0..1), repeat_count, duplicate_rate (0..1, of the successes), retry_count
select week, $as_of::timestamptz - to_days(7 * (week + 1)) as from_at, $as_of::timestamptz - to_days(7 * week) as until_at, count(*) as run_count,
    count(*) filter (not is_error) / count(*) as success_rate, count(*) filter (is_repeat) as repeat_count,
    count(*) filter (is_repeat) / nullif(count(*) filter (not is_error), 0) as duplicate_rate, sum(retries)::bigint as retry_count
from interface_runs($as_of, $weeks)
group by week
order by week
