-- clocks: one row per clock at $as_of under one catalogue, kept as before_clocks and after_clocks.
-- $as_of timestamptz
select lead_key, promise, label, started_at, at_risk_at, due_at, stopped_at_then as stopped_at, state
from clock_states($as_of)
