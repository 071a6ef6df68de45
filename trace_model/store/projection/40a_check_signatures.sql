-- One row per check and system among the fresh check failures that has no verdict yet: a check is its own verdict.
select distinct f.signature, check_group(f.operation, f.system) as group_id, c.class, false as transient,
    c.category, 1.0::double as confidence, f.operation as rule, to_json([c.why])::varchar as facts, f.system, f.operation
from check_failures f
join cat_checks c on c.operation = f.operation
where f.signature not in (select signature from signatures)
