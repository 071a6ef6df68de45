-- kpi_interfaces: one row per interface (operation and the system it calls) with runs in the two weeks before $as_of, this week beside the one before.
-- Lowest success rate of this week first, then most runs.
-- $as_of timestamptz
-- columns: operation, system, label, run_count, failed_count, success_rate (0..1), retry_count, repeat_count (succeeded again on the same object),
--   p95_ms, before_run_count, before_success_rate, before_retry_count, before_repeat_count
select operation, system, coalesce(any_value(label), operation) as label,
    count(*) filter (week = 0) as run_count, count(*) filter (week = 0 and is_error) as failed_count,
    count(*) filter (week = 0 and not is_error) / nullif(count(*) filter (week = 0), 0) as success_rate,
    coalesce(sum(retries) filter (week = 0), 0)::bigint as retry_count, count(*) filter (week = 0 and is_repeat) as repeat_count,
    quantile_cont(epoch_ms(ended_at) - epoch_ms(started_at), 0.95) filter (week = 0) as p95_ms, count(*) filter (week = 1) as before_run_count,
    count(*) filter (week = 1 and not is_error) / nullif(count(*) filter (week = 1), 0) as before_success_rate,
    coalesce(sum(retries) filter (week = 1), 0)::bigint as before_retry_count, count(*) filter (week = 1 and is_repeat) as before_repeat_count
from interface_runs($as_of, 2)
group by operation, system
order by success_rate nulls last, run_count desc, operation, system
