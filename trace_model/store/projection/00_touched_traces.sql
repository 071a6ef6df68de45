-- touched_traces (scratch): every trace with a span recorded in (after_seq, until_seq], and the first record of each.
select t.trace_id, t.first_seq
from traces t
where t.last_seq > $after_seq and t.first_seq <= $until_seq
  and t.trace_id in (select trace_id from spans where seq > $after_seq and seq <= $until_seq)
