-- export_clocks: one row per timeline and promise that has started at $as_of, with its state then. By lead, then the promises' order.
-- $as_of timestamptz
-- columns: due_at is null while the clock is paused by paused_by; target_s: working seconds promised
select t.lead_type, t.lead_id, c.promise, c.state, c.started_at, c.at_risk_at, c.due_at, c.stopped_at_then as stopped_at, c.owner_team,
    c.variant, c.paused_by, c.target_s
from clock_states($as_of) c join timelines t using (lead_key)
order by t.lead_type, t.lead_id, c.position, c.started_at
