-- exception_groups: one row per group with an open exception at $as_of: the exception queue. Most money first, then oldest.
-- $class, $category, $owner_team, $system varchar or null; $include_snoozed boolean; $offset, $limit int; $as_of timestamptz
-- columns: group_id, class, category, owner_team, system, operation, operation_label, sentence, error_code, open_count, order_count, customer_count,
--   blocked_amount (reporting currency), oldest_failed_at, last_failed_at, age_s, transient, confidence, rule, attempt_count, acknowledged_by,
--   assigned_person, snoozed_until, replayable, reporting_currency, total_count
select f.group_id, f.class, f.category, mode(f.owner_team) as owner_team, f.system, f.operation, any_value(o.label) as operation_label,
    arg_max(f.sentence, (f.last_failed_at, f.exception_id)) as sentence, arg_max(f.error_code, (f.last_failed_at, f.exception_id)) as error_code,
    count(*) as open_count, count(distinct f.lead_id) as order_count, count(distinct f.customer_id) as customer_count,
    coalesce(sum(f.blocked_amount), 0)::decimal(18, 2) as blocked_amount, min(f.opened_at) as oldest_failed_at, max(f.last_failed_at) as last_failed_at,
    epoch($as_of::timestamptz) - epoch(min(f.opened_at)) as age_s, bool_or(f.transient) as transient, max(f.confidence) as confidence,
    any_value(f.rule) as rule, sum(f.attempt_count)::bigint as attempt_count, any_value(f.acknowledged_by) as acknowledged_by,
    any_value(f.assigned_person) as assigned_person, any_value(f.snoozed_until) as snoozed_until, coalesce(any_value(o.replayable), true) as replayable,
    any_value(k.reporting_currency) as reporting_currency, count(*) over () as total_count
from open_failures($as_of) f
left join cat_operations o on o.operation = f.operation
cross join cat_settings k
where ($class is null or f.class = $class)
  and ($category is null or f.category = $category)
  and ($owner_team is null or f.owner_team = $owner_team)
  and ($system is null or f.system = $system)
  and ($include_snoozed or f.snoozed_until is null or f.snoozed_until <= $as_of)
group by f.group_id, f.class, f.category, f.system, f.operation
order by blocked_amount desc, oldest_failed_at, f.group_id
limit $limit offset $offset
