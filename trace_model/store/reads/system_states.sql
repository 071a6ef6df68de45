-- system_states: one row per declared system, with its state at $as_of. By system.
-- $as_of timestamptz; columns: system, state
select system, state from system_states($as_of) order by system
