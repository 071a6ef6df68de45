-- snoozes: one row per exception group that somebody has put to sleep by $as_of and nobody has woken: it sleeps unless its condition has come true
-- (snoozed_groups). By group_id.
-- $as_of timestamptz; columns: group_id
select group_id from group_deeds($as_of) where snooze is not null order by group_id
