-- object_facts: one row per span and object that it says something of. Replaced by trace.
-- via: 'id', 'alias', 'parent' (inherited from the keyed span above), 'relation' (only named as a parent).
-- Amount, quantity, milestone, version and run belong to the span's subject; where it has several, none has the amount.
select
    s.trace_id, s.span_id, o.seq, o.mention_key, o.object_type, o.object_id, o.scope, o.via, o.is_subject,
    s.system, s.started_at, s.ended_at,
    case when o.is_subject then s.milestone end as milestone,
    s.is_error,
    case when o.is_subject and o.is_single then s.amount end as amount,
    case when o.is_subject then s.currency end as currency,
    case when o.is_subject and o.is_single then s.quantity end as quantity,
    s.region, s.product_line, s.legal_entity, s.tier, s.workflow, o.customer_id, s.customer_name,
    case when o.is_subject then s.object_version end as object_version,
    s.correlation_key,
    case when o.is_subject then r.run_name end as run_name,
    case when o.is_subject then s.pause_word end as pause_word
from span_objects o
join trace_spans s on s.seq = o.seq
left join span_runs r on r.seq = o.seq
