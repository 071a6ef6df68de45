-- snoozed_groups: one row per exception group that is snoozed at $as_of. By group_id.
-- $as_of timestamptz; columns: group_id
select group_id from group_states($as_of) where state = 'snoozed' order by group_id
