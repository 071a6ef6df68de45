-- linked_ids (scratch): one row per end of a span link and id of the object it stands for: the span's own ids, else those of the
-- nearest keyed span above it, else those below it (a consumer's process span whose children do the work).
with recursive ends as (
    select trace_id, span_id from span_links_fresh
    union
    select linked_trace_id, linked_span_id from span_links_fresh
),
own as (
    select seq, mention_key, object_type from span_ids where is_own and traversed
),
placed as (
    select e.trace_id, e.span_id, s.seq, coalesce(k.seq, c.keyed_seq) as keyed_seq
    from ends e
    join trace_spans s on s.trace_id = e.trace_id and s.span_id = e.span_id
    left join (select distinct seq from own) k on k.seq = s.seq
    left join span_context c on c.seq = s.seq
),
below as (
    select seq as end_seq, seq as at_seq, 0 as depth from placed where keyed_seq is null
    union all
    select b.end_seq, c.seq, b.depth + 1
    from below b
    join span_context c on c.parent_seq = b.at_seq
    where b.depth < 64 and c.seq <> b.end_seq and c.keyed_seq is null
)
select p.trace_id, p.span_id, o.mention_key, o.object_type
from placed p join own o on o.seq = p.keyed_seq
union
select p.trace_id, p.span_id, o.mention_key, o.object_type
from below b join placed p on p.seq = b.end_seq join own o on o.seq = b.at_seq
