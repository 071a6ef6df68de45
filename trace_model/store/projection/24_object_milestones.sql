-- object_milestones: one row per object and milestone it reached, at the earliest evidence. Replaced by object_key.
-- Amount and currency are those first said with it.
select object_key, milestone, min(ended_at) as reached_at,
    arg_min(amount, standing) as amount,
    coalesce(arg_min(currency, standing) filter (amount is not null), arg_min(currency, standing)) as currency,
    arg_min(quantity, standing) as quantity,
    arg_min(system, standing) as system,
    arg_min(trace_id, standing) as trace_id,
    arg_min(span_id, standing) as span_id
from resolved_facts
where milestone is not null
group by object_key, milestone
