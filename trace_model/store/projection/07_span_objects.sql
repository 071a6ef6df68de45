-- span_objects (scratch): one row per span and object that it says something of.
-- via: 'id', 'alias', 'parent' (inherited from the keyed span above), 'relation' (only named as a parent).
-- is_subject: what the span is about: the object of its milestone or operation, else its most downstream object. A span may act on
--   several objects of one type (a payment run): each is a subject. is_single: it is the only one, and the span's amount its own.
with own as (
    select seq, mention_key, object_type, traversed, object_id, scope, bool_or(is_own) as is_own,
        case min(case role when 'id' then 1 when 'alias' then 2 else 3 end) when 1 then 'id' when 2 then 'alias' else 'relation' end as via
    from span_ids
    group by seq, mention_key, object_type, traversed, object_id, scope
),
inherited as (
    -- only where it matters: a span that books a milestone or runs an operation, and has no id of its own but a customer's
    select s.seq, i.mention_key, i.object_type, i.traversed, i.object_id, i.scope, true as is_own, 'parent' as via
    from trace_spans s
    join span_context c on c.seq = s.seq
    join own i on i.seq = c.keyed_seq and i.is_own and i.traversed
    where (s.milestone is not null or s.operation is not null)
      and s.seq not in (select seq from own where is_own and traversed)
),
fitted as (
    select m.*,
        case when m.is_own then (case when m.object_type = s.subject_type then 1000 else 0 end) + (case when m.traversed then t.rank else -1 end) end as fitness
    from (from own union all from inherited) m
    join trace_spans s on s.seq = m.seq
    join cat_object_types t on t.object_type = m.object_type
),
best as (
    select seq, max(fitness) as fitness, min(case when object_type = 'customer' and via <> 'relation' then object_id end) as customer_id
    from fitted
    group by seq
),
singles as (
    select f.seq, count(*) = 1 as is_single from fitted f join best b on b.seq = f.seq and b.fitness = f.fitness group by f.seq
)
select f.seq, f.mention_key, f.object_type, f.traversed, f.object_id, f.scope, f.via,
    coalesce(f.fitness = b.fitness, false) as is_subject, s.is_single, b.customer_id
from fitted f
join best b on b.seq = f.seq
left join singles s on s.seq = f.seq and b.fitness = f.fitness
