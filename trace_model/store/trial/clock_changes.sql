-- clock_changes: one row per clock that differs between before_clocks and after_clocks. By lead, then promise.
-- columns: lead_key, promise, label, change 'starts'|'goes'|'state'|'instants', before_state, after_state, before_started_at, after_started_at,
--   before_at_risk_at, after_at_risk_at, before_due_at, after_due_at
select coalesce(a.lead_key, b.lead_key) as lead_key, coalesce(a.promise, b.promise) as promise, coalesce(a.label, b.label) as label,
    case
        when b.lead_key is null then 'starts'
        when a.lead_key is null then 'goes'
        when a.state <> b.state then 'state'
        else 'instants'
    end as change,
    b.state as before_state, a.state as after_state, b.started_at as before_started_at, a.started_at as after_started_at,
    b.at_risk_at as before_at_risk_at, a.at_risk_at as after_at_risk_at, b.due_at as before_due_at, a.due_at as after_due_at
from before_clocks b full join after_clocks a on a.lead_key = b.lead_key and a.promise = b.promise
where a.state is distinct from b.state or a.started_at is distinct from b.started_at or a.at_risk_at is distinct from b.at_risk_at
    or a.due_at is distinct from b.due_at or a.stopped_at is distinct from b.stopped_at
order by lead_key, promise
