-- stirred_interfaces (scratch): every operation of a system whose releases are compared again: a touched payload is of a release that is not known, is one
-- of those by which a release was judged, or has a field that a release is known to have lost. Mostly there is none.
-- $min_seq, $max_seq: every span of the touched traces was recorded between them.
with heard as (
    from shapes_before
    union
    select system, operation, release, sent_at, shape from payload_shapes
    where seq between $min_seq and $max_seq and trace_id in (select trace_id from touched_traces)
),
unknown as (
    select system, operation from heard h anti join payload_releases r on r.system = h.system and r.operation = h.operation and r.release = h.release
),
deciding as (
    select h.system, h.operation
    from heard h
    join payload_releases r on r.system = h.system and r.operation = h.operation
    where h.sent_at <= r.judged_until_at and (h.release = r.release or (h.sent_at >= r.judged_from_at and h.release = r.release_before))
),
missed as (
    select h.system, h.operation, d.path, d.type, h.shape
    from heard h
    join schema_drifts d on d.system = h.system and d.operation = h.operation and h.sent_at > d.opened_at and coalesce(h.sent_at <= d.resolved_at, true)
)
select system, operation from unknown
union
select system, operation from deciding
union
select m.system, m.operation
from missed m, json_tree(m.shape) t
where shape_path(t.fullkey) = m.path and shape_type(t.type, t.atom) = m.type
