-- exception_group: at most one row: one group at $as_of, open or not, with the evidence of its verdict and what people did to it.
-- $group_id varchar; $as_of timestamptz
-- columns: group_id, class, category, system, operation, operation_label, sentence, error_code, http_status, message, transient, confidence, rule,
--   facts (JSON list, heaviest first), owner_team, assigned_person, acknowledged_by, acknowledged_at, snoozed_until, open_count, resolved_count,
--   order_count, customer_count, blocked_amount (reporting currency) of the open ones, oldest_failed_at, last_failed_at, attempt_count, replayable
select f.group_id, any_value(f.class) as class, any_value(f.category) as category, any_value(f.system) as system, any_value(f.operation) as operation,
    any_value(o.label) as operation_label,
    arg_max(f.sentence, (f.last_failed_at, f.exception_id)) as sentence, arg_max(f.error_code, (f.last_failed_at, f.exception_id)) as error_code,
    arg_max(f.http_status, (f.last_failed_at, f.exception_id)) as http_status, arg_max(f.message, (f.last_failed_at, f.exception_id)) as message,
    bool_or(f.transient) as transient, max(f.confidence) as confidence, arg_max(f.rule, f.confidence) as rule, arg_max(f.facts, f.confidence) as facts,
    mode(f.owner_team) as owner_team, any_value(f.assigned_person) as assigned_person, any_value(f.acknowledged_by) as acknowledged_by,
    any_value(f.acknowledged_at) as acknowledged_at, any_value(f.snoozed_until) as snoozed_until,
    count(*) filter (f.state = 'open') as open_count, count(*) filter (f.state = 'resolved') as resolved_count,
    count(distinct f.lead_id) filter (f.state = 'open') as order_count, count(distinct f.customer_id) filter (f.state = 'open') as customer_count,
    coalesce(sum(f.blocked_amount) filter (f.state = 'open'), 0)::decimal(18, 2) as blocked_amount,
    min(f.opened_at) as oldest_failed_at, max(f.last_failed_at) as last_failed_at, sum(f.attempt_count)::bigint as attempt_count,
    coalesce(any_value(o.replayable), true) as replayable
from known_failures($as_of) f
left join cat_operations o on o.operation = f.operation
where f.group_id = $group_id
group by f.group_id
