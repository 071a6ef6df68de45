-- replay_payloads: at most one row per exception that was named: the payload that its object was last sent with until $as_of, as redacted at the door.
-- The failed operation's own; without one, and unless $own_only, the newest that another operation sent of that object.
-- $exception_ids varchar[]; $own_only bool; $as_of timestamptz
-- columns: exception_id, payload (JSON text), operation, sent_at. Ordered by exception_id.
with named as (
    select distinct exception_id, object_key, operation from failures where list_contains($exception_ids, exception_id)
),
mentions as (
    select exception_id, operation, object_key as mention_key from named
    union
    select n.exception_id, n.operation, r.alias_key from named n join resolutions r on r.object_key = n.object_key
),
spoken as (
    select m.exception_id, f.run_name = m.operation as is_own, f.run_name as operation, f.ended_at, f.trace_id, f.span_id, f.seq
    from mentions m join object_facts f on f.mention_key = m.mention_key
    where f.is_subject and f.ended_at <= $as_of and (not $own_only or f.run_name = m.operation)
)
select p.exception_id, s.attributes->>'$."q2c.payload"' as payload, p.operation, p.ended_at as sent_at
from spoken p join spans s on s.seq = p.seq
where json_exists(s.attributes, '$."q2c.payload"')
qualify row_number() over (partition by p.exception_id order by p.is_own desc nulls last, p.ended_at desc, p.trace_id, p.span_id) = 1
order by p.exception_id
