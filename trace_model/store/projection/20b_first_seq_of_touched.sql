-- One number: no fact of a touched object was recorded before it.
select least(
    coalesce(min(o.first_seq), 9223372036854775807),
    coalesce((select min(seq) from object_facts_fresh), 9223372036854775807)
)
from objects o semi join touched_objects using (object_key)
