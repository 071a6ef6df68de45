-- exceptions: one row per exception at $as_of. Most money first, then oldest.
-- $state 'open'|'resolved' or null; $class, $category, $owner_team, $group_id, $system, $outage_id, $kind varchar or null; $offset, $limit int; $as_of timestamptz
-- optional: $outage_id, $kind
-- columns: as known_failures, trace and span ids in hex, plus age_s, total_count
with stuck as materialized (
    from stuck_flows($as_of)
),
known as materialized (
    select exception_id, kind, class, category, system, owner_team, group_id, outage_id, state, greatest(blocked_amount, touched_amount) as amount, opened_at from known_failures($as_of)
    union all
    select exception_id, kind, class, category, system, owner_team, group_id, null, state, blocked_amount, opened_at from stuck
),
matching as (
    select exception_id, state, amount, opened_at
    from known
    where ($state is null or state = $state)
      and ($class is null or class = $class)
      and ($category is null or category = $category)
      and ($owner_team is null or owner_team = $owner_team)
      and ($group_id is null or group_id = $group_id)
      and ($system is null or system = $system)
      and ($outage_id is null or outage_id = $outage_id)
      and ($kind is null or kind = $kind)
),
page as materialized (
    select exception_id, (select count(*) from matching) as total_count
    from matching
    order by state = 'resolved', amount desc nulls last, opened_at, exception_id
    limit $limit offset $offset
),
shown as (
    from known_failures($as_of, (select list(exception_id) from page))
    union all by name
    from stuck where exception_id in (select exception_id from page)
)
select f.* exclude (object_key, lead_key, trace_id, span_id, signature, owner_position, resolved_by_hand_at),
    replace(f.trace_id::varchar, '-', '') as trace_id, printf('%016x', f.span_id) as span_id,
    epoch($as_of::timestamptz) - epoch(f.opened_at) as age_s, p.total_count, o.milestone, o.label as operation_label, o.replayable, t.runbook
from shown f
join page p using (exception_id)
left join cat_operations o on o.operation = f.operation
left join cat_teams t on t.team = f.owner_team
order by f.state = 'resolved', greatest(f.blocked_amount, f.touched_amount) desc nulls last, f.opened_at, f.exception_id
