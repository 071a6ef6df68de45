-- resolved_facts (scratch): the object_facts of every touched object, each under its object's key.
select coalesce(r.object_key, f.mention_key) as object_key, f.*
from object_facts f
join touched_mentions t on t.mention_key = f.mention_key
left join resolutions r on r.alias_key = f.mention_key
where f.seq >= $min_object_seq
