-- replay_payload: at most one row: the payload that an exception's object was last sent with until $as_of, as redacted at the door.
-- The failed operation's own, or else the newest that another operation sent of that object.
-- $exception_id varchar; $as_of timestamptz
-- columns: payload (JSON text), operation, sent_at
with named as (
    select object_key, operation from failures where exception_id = $exception_id limit 1
),
mentions as (
    select object_key as mention_key from named
    union
    select r.alias_key from named n join resolutions r on r.object_key = n.object_key
)
select s.attributes->>'$."q2c.payload"' as payload, f.run_name as operation, f.ended_at as sent_at
from object_facts f
semi join mentions m on m.mention_key = f.mention_key
join spans s on s.seq = f.seq
where f.is_subject and f.ended_at <= $as_of and json_exists(s.attributes, '$."q2c.payload"')
order by f.run_name = (select operation from named) desc nulls last, f.ended_at desc, f.trace_id, f.span_id
limit 1
