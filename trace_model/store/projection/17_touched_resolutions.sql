-- touched_resolutions (scratch): the resolutions, as they were, of every object that an id spoken of stood for.
with spoken as (
    select alias_key, object_key, canonical_count
    from resolutions
    where alias_key in (select mention_key from spoken_ids) or object_key in (select mention_key from spoken_ids)
),
unspoken as (
    select object_key from spoken where object_key is not null and object_key not in (select mention_key from spoken_ids)
)
select * from spoken
union
select alias_key, object_key, canonical_count from resolutions where object_key in (select object_key from unspoken)
