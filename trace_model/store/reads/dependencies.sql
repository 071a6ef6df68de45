-- dependencies: one row per system that other systems call, by what the calls of the last hour before $as_of (and of the day before) said.
-- Calls are operation runs. state: as in system_states.
-- $as_of timestamptz
-- columns: system, label, state, call_count, failed_count, failure_share, p50_ms, p95_ms, day_call_count, day_failed_count, day_retry_count (tried again by the engine
--   itself, within a run or as a run of its own), last_seen_at, last_failed_at,
--   last_error, open_exception_count, blocked_amount, open_order_count, silent_s
with calls as (
    select r.system, r.started_at, r.ended_at, r.is_error, r.message,
        r.retry_count + (r.is_error and coalesce(list_contains(k.retry_outcomes, lower(r.outcome)), false))::bigint as retry_count
    from operation_runs r cross join cat_settings k
    where r.ended_at > $as_of - interval 25 hour and r.ended_at <= $as_of
),
recent as (
    select system,
        count(*) filter (ended_at > $as_of - interval 1 hour) as call_count,
        count(*) filter (is_error and ended_at > $as_of - interval 1 hour) as failed_count,
        quantile_cont(epoch_ms(ended_at) - epoch_ms(started_at), 0.5) filter (ended_at > $as_of - interval 1 hour) as p50_ms,
        quantile_cont(epoch_ms(ended_at) - epoch_ms(started_at), 0.95) filter (ended_at > $as_of - interval 1 hour) as p95_ms,
        count(*) as day_call_count, count(*) filter (is_error) as day_failed_count, sum(retry_count)::bigint as day_retry_count,
        max(ended_at) filter (is_error) as last_failed_at, arg_max(message, ended_at) filter (is_error) as last_error
    from calls group by system
),
open as (
    select system, count(*) as open_exception_count, count(distinct lead_id) as open_order_count, sum(blocked_amount)::decimal(18, 2) as blocked_amount
    from open_failures($as_of) group by system
)
select s.system, s.label, s.kind, s.state,
    coalesce(r.call_count, 0) as call_count, coalesce(r.failed_count, 0) as failed_count,
    case when r.call_count > 0 then r.failed_count / r.call_count end as failure_share,
    r.p50_ms, r.p95_ms, coalesce(r.day_call_count, 0) as day_call_count, coalesce(r.day_failed_count, 0) as day_failed_count, coalesce(r.day_retry_count, 0) as day_retry_count,
    s.last_seen_at, r.last_failed_at, r.last_error,
    coalesce(o.open_exception_count, 0) as open_exception_count, coalesce(o.open_order_count, 0) as open_order_count, coalesce(o.blocked_amount, 0) as blocked_amount,
    greatest(epoch($as_of::timestamptz) - epoch(s.last_seen_at), 0) as silent_s, s.owner_team
from system_states($as_of) s
left join recent r on r.system = s.system
left join open o on o.system = s.system
where s.last_seen_at is not null or o.open_exception_count > 0
order by case s.state when 'down' then 0 when 'degraded' then 1 when 'silent' then 2 else 3 end, s.system
