-- group_kind: one row: of what kind the exceptions of a group are, null where no group has that id.
-- $group_id varchar; $as_of timestamptz
-- columns: kind
select min(kind) as kind from judgements($as_of) where group_id = $group_id
