-- replay_looked_up: one row per exception that was named: its object of one type, and what a success last told of that object in one field.
-- The object is the one that the failed trace names; what was said of the failing object itself does not count, unless it is of that type.
-- $exception_ids varchar[]; $object_type varchar; $attribute_path varchar (JSON path of a span attribute, or null to look nothing up);
-- $payload_path varchar (JSON path inside the payload); $as_of timestamptz
-- columns: exception_id, object_id (null: none, or several), object_count, value (JSON text, null: never told), told_at. Ordered by exception_id.
with named as (
    select exception_id, object_key, object_type, trace_id
    from failures
    where list_contains($exception_ids, exception_id)
    qualify row_number() over (partition by exception_id order by episode desc) = 1
),
related as (
    select n.exception_id, any_value(n.object_key) as failing_key, any_value(n.object_type) as failing_type,
        any_value(f.mention_key) as mention_key, any_value(f.object_id) as object_id, count(distinct f.mention_key) as object_count
    from named n left join object_facts f on f.trace_id = n.trace_id and f.object_type = $object_type
    group by n.exception_id
),
wanted as (
    select distinct mention_key from related where object_count = 1 and $attribute_path::varchar is not null
),
told as (
    select f.mention_key, f.seq, f.trace_id, f.span_id, f.ended_at,
        coalesce(json_extract(s.attributes, $attribute_path::varchar),
            json_extract(try_cast(s.attributes->>'$."q2c.payload"' as json), $payload_path::varchar)) as value
    from object_facts f
    semi join wanted w on w.mention_key = f.mention_key
    join spans s on s.seq = f.seq
    where not f.is_error and f.ended_at <= $as_of
),
about as (
    -- of which object each of those spans speaks first
    select t.seq, min(f.mention_key) as subject_key
    from told t join object_facts f on f.seq = t.seq and f.is_subject
    where t.value is not null
    group by t.seq
),
newest as (
    select r.exception_id, arg_max(t.value, (t.ended_at, t.trace_id, t.span_id)) as value, max(t.ended_at) as told_at
    from related r
    join told t on t.mention_key = r.mention_key
    left join about a on a.seq = t.seq
    where r.object_count = 1 and t.value is not null and json_type(t.value) <> 'NULL'
      and (r.failing_type = $object_type or a.subject_key is distinct from r.failing_key)
    group by r.exception_id
)
select r.exception_id, case when r.object_count = 1 then r.object_id end as object_id, r.object_count, n.value::varchar as value, n.told_at
from related r left join newest n using (exception_id)
order by r.exception_id
