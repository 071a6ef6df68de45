-- span_context (scratch): one row per span whose parent is in its trace: that parent, the nearest ancestor with ids of its own
-- (a customer alone is none), the nearest that names an operation, and how far above they are. A nameless HTTP span belongs to the
-- operation above it. A parent circle ends where it closes; runaway depth after 64 steps.
with recursive keyed as (
    select distinct seq from span_ids where is_own and traversed
),
nodes as materialized (
    select s.seq, p.seq as parent_seq, s.operation is not null as is_named, k.seq is not null as is_keyed
    from trace_spans s
    left join trace_spans p on p.trace_id = s.trace_id and p.span_id = s.parent_span_id and p.span_id <> s.span_id
    left join keyed k on k.seq = s.seq
),
climb as (
    select seq, parent_seq as above_seq, 1 as depth,
        null::bigint as keyed_seq, null::integer as keyed_depth, null::bigint as operation_seq, null::integer as operation_depth
    from nodes
    where parent_seq is not null
    union all
    select c.seq, n.parent_seq, c.depth + 1,
        coalesce(c.keyed_seq, case when n.is_keyed then n.seq end), coalesce(c.keyed_depth, case when n.is_keyed then c.depth end),
        coalesce(c.operation_seq, case when n.is_named then n.seq end), coalesce(c.operation_depth, case when n.is_named then c.depth end)
    from climb c
    join nodes n on n.seq = c.above_seq
    where c.depth <= 64 and n.seq <> c.seq and (c.keyed_seq is null or c.operation_seq is null)
)
select seq, max(case when depth = 1 then above_seq end) as parent_seq,
    max(keyed_seq) as keyed_seq, max(keyed_depth) as keyed_depth,
    max(operation_seq) as operation_seq, max(operation_depth) as operation_depth
from climb
group by seq
