-- One number: no fact of a touched object was recorded before it. $min_seq: the first record of the touched traces.
select least($min_seq, coalesce(min(first_seq), $min_seq))
from objects_before
where object_key in (select mention_key from touched_mentions)
