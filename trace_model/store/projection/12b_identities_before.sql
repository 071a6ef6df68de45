-- identities_before (scratch): what touched traces, as known until now, said of identities.
-- $min_seq, $max_seq: every span of those traces was recorded between them.
select mention_key, object_type, identity, value
from identity_facts
where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
