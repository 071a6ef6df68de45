-- Incoming spans of traces never seen before: only duplicates within the batch are left out.
insert into spans
select $base + row_number() over (), *, $received_at::timestamptz
from (from incoming qualify row_number() over (partition by trace_id, span_id order by start_unix_ns) = 1)
