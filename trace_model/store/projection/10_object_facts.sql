-- object_facts: one row per span and object that it says something of. Replaced by trace.
-- via: 'id', 'alias', 'parent' (inherited from the named span above), 'relation' (only named as a parent).
-- Amount, quantity and milestone belong to the span's subject: the object of its milestone or operation, else its most
-- downstream object.
with own as (
    select trace_id, span_id, mention_key, object_type, object_id, scope,
        case min(case role when 'id' then 1 when 'alias' then 2 else 3 end) when 1 then 'id' when 2 then 'alias' else 'relation' end as via
    from span_ids
    group by trace_id, span_id, mention_key, object_type, object_id, scope
),
inherited as (
    -- only where it matters: a span without ids that books a milestone or runs an operation
    select s.trace_id, s.span_id, o.mention_key, o.object_type, o.object_id, o.scope, 'parent' as via
    from trace_spans s
    join span_context c using (trace_id, span_id)
    join own o on o.trace_id = s.trace_id and o.span_id = c.keyed_span_id and o.via <> 'relation'
    where (s.milestone is not null or s.operation is not null)
      and not exists (from own k where k.trace_id = s.trace_id and k.span_id = s.span_id and k.via <> 'relation')
),
mentioned as (
    select * from own union all select * from inherited
),
customers as (
    select trace_id, span_id, min(object_id) as customer_id
    from own where object_type = 'customer' group by trace_id, span_id
),
ranked as (
    select m.*, s.* exclude (trace_id, span_id),
        c.customer_id,
        m.via <> 'relation' and row_number() over (
            partition by m.trace_id, m.span_id
            order by m.via = 'relation', m.object_type = s.subject_type desc nulls last, t.traversed desc, t.rank desc, m.via, m.object_id
        ) = 1 as is_first,
        t.rank as type_rank,
        max(case when m.via <> 'relation' then (case when m.object_type = s.subject_type then 1000 else 0 end) + (case when t.traversed then t.rank else -1 end) end)
            over (partition by m.trace_id, m.span_id) as best,
        case when m.via <> 'relation' then (case when m.object_type = s.subject_type then 1000 else 0 end) + (case when t.traversed then t.rank else -1 end) end as fitness
    from mentioned m
    join trace_spans s using (trace_id, span_id)
    join cat_object_types t on t.object_type = m.object_type
    left join customers c using (trace_id, span_id)
)
select
    trace_id, span_id, seq, mention_key, object_type, object_id, scope, via,
    -- a span may act on several objects of one type (a payment run): each is a subject; only a single one has the amount
    coalesce(fitness = best, false) as is_subject,
    system, started_at, ended_at,
    case when fitness = best then milestone end as milestone,
    is_error,
    case when is_first and fitness = best and count(*) filter (fitness = best) over (partition by trace_id, span_id) = 1 then amount end as amount,
    case when is_first and fitness = best then currency end as currency,
    case when is_first and fitness = best and count(*) filter (fitness = best) over (partition by trace_id, span_id) = 1 then quantity end as quantity,
    region, product_line, legal_entity, tier, workflow, customer_id, customer_name,
    case when fitness = best then object_version end as object_version,
    correlation_key
from ranked
