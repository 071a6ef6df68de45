-- timeline_clocks: one row per promise that has started for a timeline, with its state at $as_of, in the catalogue's order.
-- $lead_key ubigint; $as_of timestamptz
select promise, label, start, stop, started_at, at_risk_at, due_at, stopped_at_then as stopped_at, state, owner_team
from clock_states($as_of)
where lead_key = $lead_key
order by position
