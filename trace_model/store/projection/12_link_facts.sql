-- link_facts: one row per span and pair of objects it links, with the kind of evidence. Replaced by trace.
-- explicit 1.00: the span names the parent. same_span 0.90: both ids on one span. trace_parent 0.80: the parent's id on the keyed
-- span above. span_link 0.80: the ids at the two ends of an OpenTelemetry span link. A declared relation is needed for each; which
-- evidence counts is decided in links (docs/decisions/002-evidence-of-links.md).
with own as (
    select distinct seq, mention_key, object_type from span_ids where is_own
),
counted as (
    select *, count(*) over (partition by seq, object_type) as of_type from own
),
explicit as (
    select p.seq, c.mention_key as child_key, c.object_type as child_type, p.mention_key as parent_key,
        p.object_type as parent_type, p.kind, 'explicit' as source, 1.00 as confidence, p.link_amount as amount, p.link_quantity as quantity
    from span_ids p
    join own c on c.seq = p.seq and c.object_type = p.child_type and c.mention_key <> p.mention_key
    where p.role = 'relation'
),
same_span as (
    -- five invoices and four orders on one span say nothing of which belongs to which: one side must be single
    select c.seq, c.mention_key, c.object_type, p.mention_key, p.object_type, r.kind, 'same_span', 0.90, null, null
    from counted c
    join counted p on p.seq = c.seq and p.mention_key <> c.mention_key
    join cat_relations r on r.child_type = c.object_type and r.parent_type = p.object_type and r.kind = 'part_of'
    where (c.of_type = 1 or p.of_type = 1) and c.object_type <> p.object_type
),
trace_parent as (
    select c.seq, c.mention_key, c.object_type, p.mention_key, p.object_type, r.kind, 'trace_parent', 0.80, null, null
    from counted c
    join span_context x on x.seq = c.seq
    join counted p on p.seq = x.keyed_seq and p.mention_key <> c.mention_key
    join cat_relations r on r.child_type = c.object_type and r.parent_type = p.object_type and r.kind = 'part_of'
    where p.of_type = 1 and c.object_type <> p.object_type
),
span_ends as (
    -- either end may be the child: an invoice run links back to its orders, an order's acknowledgment to its invoice
    select l.seq, a.mention_key as child_key, a.object_type as child_type, b.mention_key as parent_key, b.object_type as parent_type
    from span_links_fresh l
    join linked_ids a on a.trace_id = l.trace_id and a.span_id = l.span_id
    join linked_ids b on b.trace_id = l.linked_trace_id and b.span_id = l.linked_span_id
    union
    select l.seq, b.mention_key, b.object_type, a.mention_key, a.object_type
    from span_links_fresh l
    join linked_ids a on a.trace_id = l.trace_id and a.span_id = l.span_id
    join linked_ids b on b.trace_id = l.linked_trace_id and b.span_id = l.linked_span_id
),
span_link as (
    select e.seq, e.child_key, e.child_type, e.parent_key, e.parent_type, r.kind, 'span_link', 0.80, null, null
    from span_ends e
    join cat_relations r on r.child_type = e.child_type and r.parent_type = e.parent_type and r.kind = 'part_of'
    where e.child_type <> e.parent_type
    qualify count(distinct e.child_key) over (partition by e.seq, e.child_type, e.parent_type) = 1
        or count(distinct e.parent_key) over (partition by e.seq, e.child_type, e.parent_type) = 1
)
select s.trace_id, s.span_id, l.seq, l.child_key, l.child_type, l.parent_key, l.parent_type, l.kind, l.source, l.confidence::decimal(3, 2) as confidence,
    l.amount::decimal(18, 4) as amount, l.quantity::decimal(18, 4) as quantity, s.ended_at as seen_at
from (from explicit union all from same_span union all from trace_parent union all from span_link) l
join trace_spans s on s.seq = l.seq
