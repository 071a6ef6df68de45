-- alert_next_instant: one row: the earliest instant from $as_of on at which time alone makes something deserve an alert. Null: none is known.
-- $as_of timestamptz; $transient_grace_s, $grace_s double (the shorter is used: waking early costs one look); columns: next_at
select min(at_instant) as next_at
from (
    select min(due_at) as at_instant from clocks
    where due_at >= $as_of and (stopped_at is null or stopped_at > $as_of) and (holds_until is null or holds_until > due_at)
    union all
    select min(at_risk_at) from clocks
    where at_risk_at > $as_of and (stopped_at is null or stopped_at > $as_of) and (holds_until is null or holds_until > at_risk_at)
    union all
    select min(stuck_at) from timelines where stuck_at > $as_of and completed_at is null and cancelled_at is null
    union all
    select min(opened_at + to_microseconds((g.grace_s * 1000000)::bigint))
    from failures cross join (select unnest([$transient_grace_s::double, $grace_s::double]) as grace_s) g
    where opened_at + to_microseconds((g.grace_s * 1000000)::bigint) > $as_of and (resolved_at is null or resolved_at > $as_of)
)
