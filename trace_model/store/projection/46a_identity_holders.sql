-- identity_holders (scratch): one row per object and stretch in which it had one value of an identity: from when it was first said until
-- the object was said to have another (null: it has it still). Of every object that has, or had, a stirred identity.
with concerned as (
    select distinct f.mention_key from identity_facts f semi join stirred_identities s on s.identity = f.identity and s.value = f.value and s.object_type = f.object_type
    union
    select mention_key from identities_before
),
said as (
    select coalesce(r.object_key, f.mention_key) as object_key, f.object_type, f.identity, f.value, f.seen_at, f.trace_id, f.span_id
    from identity_facts f
    semi join concerned c on c.mention_key = f.mention_key
    left join resolutions r on r.alias_key = f.mention_key
),
turns as (
    select *, lag(value) over (partition by object_key, identity order by seen_at, trace_id, span_id) is distinct from value as is_turn
    from said
)
select object_key, object_type, identity, value, seen_at as from_at, lead(seen_at) over (partition by object_key, identity order by seen_at, trace_id, span_id) as until_at
from turns
where is_turn
