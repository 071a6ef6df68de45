-- stirred_aliases (scratch): ids in other systems that the touched traces show, or showed, beside an object's own.
-- $min_seq, $max_seq: the records of the touched traces lie between them.
select alias_key from alias_facts where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
union
select alias_key from alias_facts_fresh
