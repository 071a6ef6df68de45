-- ingest_sources: one row per door and system that sent spans in the 24 hours before $as_of, most recent first.
-- $as_of timestamptz; columns: source, system, span_count, last_received_at, lag_s (receiving behind ending, median)
select source, service as system, count(*) as span_count, max(received_at) as last_received_at,
    median(epoch(received_at) - end_unix_ns / 1e9) as lag_s
from spans
where received_at <= $as_of and received_at > $as_of - interval 24 hour
group by source, service
order by last_received_at desc, source, service
