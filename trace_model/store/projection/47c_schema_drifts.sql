-- schema_drifts: one row per field that every judged payload of the release before had (five at least), and none of the new one's first payloads has with
-- that type: it vanished, or changed its type (now_type). Of a field and those within it: the outermost. Replaced by interface.
-- opened_at: the payload at which that was certain; resolved_at: when this or a later release sent the field as before.
with said as (
    from payload_shapes semi join stirred_interfaces using (system, operation)
),
features as materialized (
    -- a field that is null says nothing; a number is a number
    select s.shape, shape_path(t.fullkey) as path, shape_type(t.type, t.atom) as type
    from (select distinct shape from said) s, json_tree(s.shape) t
    where t.fullkey <> '$' and shape_type(t.type, t.atom) <> 'null'
),
compared as (
    from payload_releases_fresh where release_before is not null and isfinite(judged_until_at)
),
was as (
    select c.system, c.operation, c.release, f.path, f.type
    from (
        select *, count(*) over (partition by system, operation, release) as payload_count
        from (
            select c.system, c.operation, c.release, s.shape
            from compared c
            join said s on s.system = c.system and s.operation = c.operation and s.release = c.release_before and s.sent_at < c.first_sent_at and not s.is_error
            qualify row_number() over (partition by c.system, c.operation, c.release order by s.sent_at desc, s.trace_id, s.span_id) <= 20
        )
    ) c
    join features f using (shape)
    where c.payload_count >= 5
    group by c.system, c.operation, c.release, f.path, f.type
    having count(*) = any_value(c.payload_count)
),
first_ones as (
    select c.system, c.operation, c.release, s.shape, s.sent_at, s.trace_id, s.span_id,
        row_number() over (partition by c.system, c.operation, c.release order by s.sent_at, s.trace_id, s.span_id) as place
    from compared c
    join said s on s.system = c.system and s.operation = c.operation and s.release = c.release
    qualify place <= (select drift_after from cat_settings)
),
is_now as (
    select n.system, n.operation, n.release, f.path, f.type
    from first_ones n join features f using (shape)
    group by n.system, n.operation, n.release, f.path, f.type
),
lost as (
    from was w anti join is_now n
        on n.system = w.system and n.operation = w.operation and n.release = w.release and n.path = w.path and n.type = w.type
),
outermost as (
    select l.* from lost l
    where not exists (
        select 1 from lost p
        where p.system = l.system and p.operation = l.operation and p.release = l.release and p.path <> l.path
          and (starts_with(l.path, p.path || '.') or starts_with(l.path, p.path || '[]'))
    )
),
judged as (
    select system, operation, release, max(sent_at) as opened_at, arg_min({'sent_at': sent_at, 'trace_id': trace_id, 'span_id': span_id}, place) as first_one
    from first_ones
    group by system, operation, release
)
select l.system, l.operation, l.release, c.release_before, l.path, l.type,
    (select min(n.type) from is_now n where n.system = l.system and n.operation = l.operation and n.release = l.release and n.path = l.path) as now_type,
    j.first_one.sent_at as first_sent_at, j.opened_at,
    (select min(s.sent_at)
     from said s
     join features f on f.shape = s.shape and f.path = l.path and f.type = l.type
     join payload_releases_fresh r on r.system = s.system and r.operation = s.operation and r.release = s.release
     where s.system = l.system and s.operation = l.operation and s.sent_at > j.opened_at and r.first_sent_at >= c.first_sent_at) as resolved_at,
    j.first_one.trace_id as trace_id, j.first_one.span_id as span_id
from outermost l
join compared c using (system, operation, release)
join judged j using (system, operation, release)
