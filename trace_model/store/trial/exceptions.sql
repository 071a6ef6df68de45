-- exceptions: one row per exception at $as_of under one catalogue, kept as before_exceptions and after_exceptions.
-- $as_of timestamptz
select exception_id, object_type, object_id, object_scope, operation, lead_key, sentence, class, category, owner_team, group_id, state,
    blocked_amount as reporting_amount
from known_failures($as_of)
