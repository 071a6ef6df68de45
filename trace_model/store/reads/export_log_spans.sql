-- export_log_spans: one row per piece of one kind of one event log, in the order of recording; at most one stretch of records.
-- $log varchar; $kind 'log' | 'object' | 'relation' | 'event'; $after_seq, $until_seq bigint; $as_of timestamptz
-- columns: start_unix_ns, attributes (JSON, docs/object-centric-logs.md)
select start_unix_ns, attributes
from spans
where seq > $after_seq and seq <= $until_seq
  and scope = 'cashtrail.ocel'
  and resource->>'$."ocel.log"' = $log
  and attributes->>'$."ocel.kind"' = $kind
  and start_unix_ns <= epoch_us($as_of::timestamptz) * 1000
order by seq
