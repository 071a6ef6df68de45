-- object_facts: one row per span and object that it says something of. Replaced by trace.
-- via: 'id', 'alias', 'parent' (inherited from the keyed span above), 'relation' (only named as a parent).
-- Amount, quantity, milestone and version belong to the span's subject: the object of its milestone or operation, else its most
-- downstream object. A span may act on several objects of one type (a payment run): each is a subject, none has the amount.
with own as (
    select seq, mention_key, object_type, object_id, scope, bool_or(is_own) as is_own,
        case min(case role when 'id' then 1 when 'alias' then 2 else 3 end) when 1 then 'id' when 2 then 'alias' else 'relation' end as via
    from span_ids
    group by seq, mention_key, object_type, object_id, scope
),
inherited as (
    -- only where it matters: a span that books a milestone or runs an operation, and has no id of its own but a customer's
    select s.seq, i.mention_key, i.object_type, i.object_id, i.scope, true as is_own, 'parent' as via
    from trace_spans s
    join span_context c on c.seq = s.seq
    join span_ids i on i.seq = c.keyed_seq and i.is_own and i.traversed
    where (s.milestone is not null or s.operation is not null)
      and s.seq not in (select seq from span_ids where is_own and traversed)
    group by all
),
fitted as (
    select m.*,
        case when m.is_own then (case when m.object_type = s.subject_type then 1000 else 0 end) + (case when t.traversed then t.rank else -1 end) end as fitness
    from (from own union all from inherited) m
    join trace_spans s on s.seq = m.seq
    join cat_object_types t on t.object_type = m.object_type
),
ranked as (
    select *,
        coalesce(fitness = max(fitness) over (partition by seq), false) as is_subject,
        count(*) over (partition by seq, fitness) as equal_count,
        min(case when object_type = 'customer' and via <> 'relation' then object_id end) over (partition by seq) as customer_id
    from fitted
)
select
    s.trace_id, s.span_id, r.seq, r.mention_key, r.object_type, r.object_id, r.scope, r.via, r.is_subject,
    s.system, s.started_at, s.ended_at,
    case when r.is_subject then s.milestone end as milestone,
    s.is_error,
    case when r.is_subject and r.equal_count = 1 then s.amount end as amount,
    case when r.is_subject then s.currency end as currency,
    case when r.is_subject and r.equal_count = 1 then s.quantity end as quantity,
    s.region, s.product_line, s.legal_entity, s.tier, s.workflow, r.customer_id, s.customer_name,
    case when r.is_subject then s.object_version end as object_version,
    s.correlation_key
from ranked r join trace_spans s on s.seq = r.seq
