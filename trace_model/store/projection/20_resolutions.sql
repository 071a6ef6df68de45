-- resolutions: one row per id in another system that was seen together with an object's own id. Replaced by alias_key.
-- An alias of two different objects resolves to neither (canonical_count > 1): that is a warning, not a guess.
select alias_key, case when count(distinct canonical_key) = 1 then min(canonical_key) end as object_key, count(distinct canonical_key) as canonical_count
from alias_facts
where alias_key in (select alias_key from stirred_aliases)
group by alias_key
