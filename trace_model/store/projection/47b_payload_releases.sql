-- payload_releases: one row per operation of a system and release that sent payloads in it, with the release before it and the stretch of payloads by which
-- they are compared: the last 20 of the one before that were taken, and the first of the new one, as many as the catalogue says. Replaced by interface.
-- judged_from_at, judged_until_at: infinite while there are fewer.
with said as (
    from payload_shapes semi join stirred_interfaces using (system, operation)
),
releases as (
    select system, operation, release, min(sent_at) as first_sent_at from said group by system, operation, release
),
ordered as (
    select *, lag(release) over (partition by system, operation order by first_sent_at, release) as release_before from releases
),
newest as (
    select s.system, s.operation, s.release, s.sent_at,
        row_number() over (partition by s.system, s.operation, s.release order by s.sent_at, s.trace_id, s.span_id) as place
    from said s
),
enough as (
    select n.system, n.operation, n.release, n.sent_at from newest n cross join cat_settings k where n.place = k.drift_after
),
latest as (
    select o.system, o.operation, o.release, s.sent_at
    from ordered o
    join said s on s.system = o.system and s.operation = o.operation and s.release = o.release_before and s.sent_at < o.first_sent_at and not s.is_error
    qualify row_number() over (partition by o.system, o.operation, o.release order by s.sent_at desc, s.trace_id, s.span_id) = 20
)
select o.system, o.operation, o.release, o.first_sent_at, o.release_before,
    coalesce(l.sent_at, '-infinity'::timestamptz) as judged_from_at,
    case when o.release_before is null then o.first_sent_at else coalesce(e.sent_at, 'infinity'::timestamptz) end as judged_until_at
from ordered o
left join enough e using (system, operation, release)
left join latest l using (system, operation, release)
