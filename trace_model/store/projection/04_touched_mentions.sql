-- touched_mentions (scratch): every id whose object must be derived again: those the touched traces spoke of before, speak of now,
-- and, for each, all other ids of the same object.
with spoken as (
    select mention_key from object_facts where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
    union
    select mention_key from object_facts_fresh
    union
    select unnest([alias_key, canonical_key]) from alias_facts_fresh
),
objects_spoken as (
    -- an id and what it resolved to until now are one object
    select mention_key from spoken
    union
    select r.object_key from resolutions r semi join spoken s on s.mention_key = r.alias_key where r.object_key is not null
)
select mention_key from objects_spoken
union
select r.alias_key from resolutions r semi join objects_spoken s on s.mention_key = r.object_key
