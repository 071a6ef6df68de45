-- failed_runs (scratch): the failed operation_runs of every touched object, each under its object's key.
-- $min_object_seq: no fact of a touched object was recorded before it.
-- A span may speak of one object under several ids: it is one run.
select distinct coalesce(r.object_key, u.mention_key) as object_key, u.* exclude (mention_key)
from operation_runs u
semi join touched_mentions t on t.mention_key = u.mention_key
left join touched_resolutions r on r.alias_key = u.mention_key
where u.is_error and u.seq >= $min_object_seq
