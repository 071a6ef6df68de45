-- runs_before (scratch): when runs of the touched traces, as known until now, ended at which system.
-- $min_seq, $max_seq: every span of those traces was recorded between them.
select system, ended_at, signature
from operation_runs
where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
