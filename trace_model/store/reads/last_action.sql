-- last_action: one row: the number of the newest deed, 0 before the first. Screens ask it to know whether an answer may have changed.
-- $actor varchar: by this person alone; null for anybody
-- optional: $actor
-- columns: action_no
select coalesce(max(action_no), 0) as action_no from operator_actions where $actor is null or actor = $actor
