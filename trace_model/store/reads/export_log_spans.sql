-- export_log_spans: one row per piece of one kind of one event log, by time; at most one stretch of records. Of an event that was read more than
-- once (a longer log, a changed catalogue) only the latest reading.
-- $log varchar; $kind 'log' | 'object' | 'relation' | 'event'; $after_seq, $until_seq bigint; $as_of timestamptz
-- columns: start_unix_ns, attributes (JSON, docs/object-centric-logs.md)
with pieces as (
    select seq, trace_id, span_id, start_unix_ns, resource, attributes
    from spans
    where scope = 'cashtrail.ocel' and attributes->>'$."ocel.kind"' = $kind
),
wanted as (
    select * from pieces
    where seq > $after_seq and seq <= $until_seq and resource->>'$."ocel.log"' = $log
      and start_unix_ns <= epoch_us($as_of::timestamptz) * 1000
)
select start_unix_ns, attributes
from wanted w
where $kind <> 'event' or not exists (from pieces p where p.trace_id = w.trace_id and p.seq > w.seq)
order by start_unix_ns, trace_id, span_id
