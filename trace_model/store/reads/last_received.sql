-- last_received: one row: when the newest span came in, null before the first. Read off the end of the record, so it costs the same at any size.
-- columns: last_received_at
select max(received_at) as last_received_at from spans where seq >= (select max(seq) from spans)
