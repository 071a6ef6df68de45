-- exception_group: at most one row: one group at $as_of, open or not, with the evidence of its verdict and what people did to it.
-- $group_id varchar; $as_of timestamptz
-- columns: as group_states (figures of the open ones, blocked_amount in reporting currency; facts: JSON list, heaviest first), plus operation_label,
--   sentence, error_code, http_status, message, runbook, replayable, promised_label, due_at (the nearest running promise of its orders)
with held as (
    select * from known_exceptions($as_of) where group_id = $group_id
),
words as (
    select arg_max(sentence, (last_failed_at, exception_id)) as sentence, arg_max(error_code, (last_failed_at, exception_id)) as error_code,
        arg_max(http_status, (last_failed_at, exception_id)) as http_status, arg_max(message, (last_failed_at, exception_id)) as message
    from held
),
promised as (
    select min(c.due_at) as due_at, arg_min(p.label, c.due_at) as promised_label
    from held h
    join clocks_at($as_of) c on c.lead_key = h.lead_key and coalesce(c.stopped_at > $as_of, true)
    join cat_promises p on p.promise = c.promise
    where h.state = 'open'
)
select g.* exclude (held), o.label as operation_label, w.*, t.runbook, coalesce(o.replayable, true) as replayable, m.due_at, m.promised_label
from group_states($as_of, $group_id) g
cross join words w
cross join promised m
left join cat_operations o on o.operation = g.operation
left join cat_teams t on t.team = g.owner_team
where g.group_id = $group_id
