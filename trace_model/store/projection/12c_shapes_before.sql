-- shapes_before (scratch): the payloads of touched traces, as known until now.
-- $min_seq, $max_seq: every span of those traces was recorded between them.
select system, operation, release, sent_at, shape
from payload_shapes
where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
