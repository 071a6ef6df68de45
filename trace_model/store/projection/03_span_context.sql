-- span_context (scratch): one row per span with a parent in its trace: the nearest ancestor that carries an id of its own,
-- and the nearest that names an operation. A nameless HTTP span belongs to the named operation above it.
-- Parent circles and runaway depth end after 64 steps.
with recursive keyed as (
    select distinct trace_id, span_id from span_ids where role <> 'relation'
),
nodes as (
    select s.trace_id, s.span_id, s.parent_span_id, s.operation is not null as named, k.span_id is not null as keyed
    from trace_spans s left join keyed k using (trace_id, span_id)
),
climb as (
    select trace_id, span_id, parent_span_id as above, 0 as depth, null::ubigint as keyed_span_id, null::ubigint as operation_span_id
    from nodes
    where parent_span_id is not null
    union all
    select
        c.trace_id, c.span_id, n.parent_span_id, c.depth + 1,
        coalesce(c.keyed_span_id, case when n.keyed then n.span_id end),
        coalesce(c.operation_span_id, case when n.named then n.span_id end)
    from climb c
    join nodes n on n.trace_id = c.trace_id and n.span_id = c.above
    where c.depth < 64 and (c.keyed_span_id is null or c.operation_span_id is null)
)
select trace_id, span_id, max(depth) as depth,
    arg_max(keyed_span_id, depth) as keyed_span_id,
    arg_max(operation_span_id, depth) as operation_span_id
from climb
group by trace_id, span_id
