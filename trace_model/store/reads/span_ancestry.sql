-- span_ancestry: one row per span from the one named up to its root within its trace, nearest first. An engine's own id of what failed
-- may stand on any of them.
-- $trace_id varchar (32 hex); $span_id ubigint
-- columns: distance (0 is the span itself), attributes, resource (JSON)
with recursive stretch as (
    select trace_id, first_seq, last_seq from traces where trace_id = $trace_id::uuid
),
family as (
    select s.span_id, s.parent_span_id, s.attributes, s.resource
    from spans s, stretch x
    where s.seq between x.first_seq and x.last_seq and s.trace_id = x.trace_id
),
ancestry as (
    select 0 as distance, f.* from family f where f.span_id = $span_id
    union all
    select a.distance + 1, f.* from ancestry a join family f on f.span_id = a.parent_span_id where a.distance < 100
)
select distance, attributes, resource from ancestry order by distance
