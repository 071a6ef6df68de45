-- link_facts: one row per span and pair of objects it links, with the kind of evidence. Replaced by trace.
-- explicit 1.00: the span names the parent. same_span 0.90: both ids on one span. trace_parent 0.80: the parent's id on
-- the named span above. A declared relation is needed for each; which evidence counts is decided in links.
with own as (
    select distinct trace_id, span_id, mention_key, object_type from span_ids where role in ('id', 'alias')
),
counted as (
    select *, count(*) over (partition by trace_id, span_id, object_type) as of_type from own
),
explicit as (
    select p.trace_id, p.span_id, c.mention_key as child_key, c.object_type as child_type, p.mention_key as parent_key,
        p.object_type as parent_type, p.kind, 'explicit' as source, 1.00 as confidence, p.link_amount as amount, p.link_quantity as quantity
    from span_ids p
    join own c on c.trace_id = p.trace_id and c.span_id = p.span_id and c.object_type = p.child_type and c.mention_key <> p.mention_key
    where p.role = 'relation'
),
same_span as (
    -- five invoices and four orders on one span say nothing of which belongs to which: one side must be single
    select c.trace_id, c.span_id, c.mention_key, c.object_type, p.mention_key, p.object_type, r.kind, 'same_span', 0.90, null, null
    from counted c
    join counted p on p.trace_id = c.trace_id and p.span_id = c.span_id
    join cat_relations r on r.child_type = c.object_type and r.parent_type = p.object_type and r.kind = 'part_of'
    where c.of_type = 1 or p.of_type = 1
),
trace_parent as (
    select c.trace_id, c.span_id, c.mention_key, c.object_type, p.mention_key, p.object_type, r.kind, 'trace_parent', 0.80, null, null
    from counted c
    join span_context x on x.trace_id = c.trace_id and x.span_id = c.span_id
    join counted p on p.trace_id = c.trace_id and p.span_id = x.keyed_span_id
    join cat_relations r on r.child_type = c.object_type and r.parent_type = p.object_type and r.kind = 'part_of'
    where p.of_type = 1
)
select l.trace_id, l.span_id, s.seq, l.child_key, l.child_type, l.parent_key, l.parent_type, l.kind, l.source, l.confidence::decimal(3, 2) as confidence,
    l.amount::decimal(18, 4) as amount, l.quantity::decimal(18, 4) as quantity, s.ended_at as seen_at
from (from explicit union all from same_span union all from trace_parent) l
join trace_spans s on s.trace_id = l.trace_id and s.span_id = l.span_id
