-- exceptions: one row per exception at $as_of. Most money first, then oldest.
-- $state 'open'|'resolved' or null; $class, $category, $owner_team, $group_id, $system, $outage_id, $kind varchar or null; $offset, $limit int; $as_of timestamptz
-- optional: $outage_id, $kind
-- columns: as known_failures, trace and span ids in hex, plus age_s, total_count
select f.* exclude (object_key, lead_key, trace_id, span_id, signature, owner_position, resolved_by_hand_at),
    replace(f.trace_id::varchar, '-', '') as trace_id, printf('%016x', f.span_id) as span_id,
    epoch($as_of::timestamptz) - epoch(f.opened_at) as age_s, count(*) over () as total_count, o.milestone, o.label as operation_label, o.replayable
from known_exceptions($as_of) f
left join cat_operations o on o.operation = f.operation
where ($state is null or f.state = $state)
  and ($class is null or f.class = $class)
  and ($category is null or f.category = $category)
  and ($owner_team is null or f.owner_team = $owner_team)
  and ($group_id is null or f.group_id = $group_id)
  and ($system is null or f.system = $system)
  and ($outage_id is null or f.outage_id = $outage_id)
  and ($kind is null or f.kind = $kind)
order by f.state = 'resolved', f.blocked_amount desc nulls last, f.opened_at, f.exception_id
limit $limit offset $offset
