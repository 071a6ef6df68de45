-- Incoming spans, some of traces seen before: those kept already are left out. No span of a known trace was recorded before $min_seq.
insert into spans
select $base + row_number() over (), *, $received_at::timestamptz
from (
    from incoming i
    where not exists (
        from spans s
        where s.seq >= $min_seq and s.trace_id in (select trace_id::uuid from known) and s.trace_id = i.trace_id and s.span_id = i.span_id
    )
    qualify row_number() over (partition by trace_id, span_id order by start_unix_ns) = 1
)
