-- changed_aliases (scratch): ids in other systems that stand for another object than before.
select coalesce(f.alias_key, r.alias_key) as alias_key
from resolutions_fresh f
full join (from resolutions semi join touched_aliases using (alias_key)) r on r.alias_key = f.alias_key
where f.object_key is distinct from r.object_key
