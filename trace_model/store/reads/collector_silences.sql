-- collector_silences: one row per sender (a door and who came through it) that was heard from again and again in the day before $as_of, and not for
-- $silent_after_s now. Files that were loaded and pollers are left out: those end, and these say themselves how they do. Longest silent first.
-- $as_of timestamptz; $silent_after_s int
-- columns: source, last_received_at, stretch_count (of so many stretches of that length something came)
-- Whoever was heard in less than three of them sends at times, and its silence says nothing.
select source, max(received_at) as last_received_at, count(distinct epoch(received_at)::bigint // $silent_after_s) as stretch_count
from spans
where received_at <= $as_of and received_at > $as_of::timestamptz - interval 24 hour
  and split_part(source, ':', 1) in ('otlp_http', 'otlp_grpc', 'otlp_logs', 'cloudevents')
group by source
having stretch_count >= 3 and max(received_at) <= $as_of::timestamptz - to_seconds($silent_after_s)
order by last_received_at, source
