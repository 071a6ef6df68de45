-- object_milestones: one row per object and milestone it reached, at the earliest evidence. Replaced by object_key.
-- Amount and currency are those first said with it.
select object_key, milestone, min(ended_at) as reached_at,
    arg_min(amount, (ended_at, amount, currency)) filter (amount is not null) as amount,
    arg_min(currency, (amount is null, ended_at, amount, currency)) filter (currency is not null) as currency,
    arg_min(quantity, (ended_at, quantity)) filter (quantity is not null) as quantity,
    arg_min(system, (ended_at, system)) as system,
    arg_min(trace_id, (ended_at, trace_id, span_id)) as trace_id,
    arg_min(span_id, (ended_at, trace_id, span_id)) as span_id
from resolved_facts
where milestone is not null and is_subject
group by object_key, milestone
