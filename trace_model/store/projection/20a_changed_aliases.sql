-- changed_aliases (scratch): ids in other systems that stand for another object than before.
select coalesce(f.alias_key, r.alias_key) as alias_key
from resolutions_fresh f
full join (from touched_resolutions semi join stirred_aliases using (alias_key)) r on r.alias_key = f.alias_key
where (f.object_key, f.canonical_count) is distinct from (r.object_key, r.canonical_count)
