-- exception_elsewhere: one row per other exception of the same group at $as_of, open ones first, then latest first.
-- $exception_id, $group_id varchar; $limit int; $as_of timestamptz
-- columns: exception_id, state, object_type, object_id, lead_type, lead_id, lead_scope, customer_name, blocked_amount (reporting currency), opened_at, resolved_at,
--   attempt_count, total_count, open_count
select f.exception_id, f.state, f.object_type, f.object_id, f.lead_type, f.lead_id, f.lead_scope, f.customer_name, f.blocked_amount, f.opened_at,
    f.resolved_at_then as resolved_at, f.attempt_count, count(*) over () as total_count, count(case when f.state = 'open' then 1 end) over () as open_count
from (from known_failures($as_of) where group_id = $group_id union all by name from stuck_of_group($as_of, $group_id)) f
where f.exception_id <> $exception_id
order by f.state = 'resolved', f.last_failed_at desc, f.exception_id
limit $limit
