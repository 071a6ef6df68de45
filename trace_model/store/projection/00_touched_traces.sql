-- touched_traces (scratch): every trace with a span recorded in ($after_seq, $until_seq], and every trace with a span link to one
-- of them, each with the stretch of records that holds it.
with spoken as (
    select distinct trace_id from spans where seq > $after_seq and seq <= $until_seq
),
touched as (
    select trace_id from spoken
    union
    select k.trace_id from span_links k semi join spoken s on s.trace_id = k.linked_trace_id
)
select t.trace_id, t.first_seq, t.last_seq from traces t semi join touched using (trace_id)
