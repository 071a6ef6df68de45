-- exception_groups: one row per group with an open exception at $as_of: the exception queue.
-- $class, $category, $owner_team, $owner_person, $system, $group_state, $outage_id, $tag, $kind varchar or null; $min_amount decimal or null;
-- $include_snoozed boolean; $sort 'money' (most money held or touched, then oldest), 'time' (least time first), 'oldest', 'latest';
-- $offset, $limit int; $as_of timestamptz
-- optional: $owner_person, $group_state, $outage_id, $tag, $kind, $min_amount, $sort
-- columns: group_id, state, kind, class, category, owner_team, owner_person, is_escalated, escalates_at, system, operation, operation_label, sentence, error_code,
--   open_count, resolved_count, regressed_count, order_count, customer_count, blocked_amount (reporting currency), touched_count, touched_amount (open orders that it touches and does not hold up), due_at (the nearest running promise of its
--   orders), oldest_failed_at, first_seen_at, last_failed_at, age_s, transient, confidence, rule, attempt_count, acknowledged_by, assigned_person, snoozed_until,
--   tags, ticket, note_count, outage_id, runbook, opened_by_day (14 counts, today last), replayable, reporting_currency, total_count
with queue as materialized (
    select * exclude (held)
    from group_states($as_of)
    where open_count > 0
      and ($class is null or class = $class)
      and ($category is null or category = $category)
      and ($owner_team is null or owner_team = $owner_team)
      and ($owner_person is null or owner_person = $owner_person)
      and ($system is null or system = $system)
      and ($group_state is null or state = $group_state)
      and ($outage_id is null or outage_id = $outage_id)
      and ($tag is null or list_contains(tags, $tag))
      and ($kind is null or kind = $kind)
      and ($min_amount is null or blocked_amount >= $min_amount)
      and ($include_snoozed or $group_state = 'snoozed' or state <> 'snoozed')
),
ranked as (
    select *, count(*) over () as total_count,
        row_number() over (order by case coalesce($sort, 'money') when 'money' then -greatest(blocked_amount, touched_amount) when 'latest' then -epoch(last_failed_at)
            when 'oldest' then epoch(oldest_failed_at) end nulls last, blocked_amount desc, oldest_failed_at, group_id) as place
    from queue
),
candidates as materialized (  -- whose nearest promise is sought: of those shown; of all where it decides who is shown
    from ranked where coalesce($sort = 'time', false) or place between $offset + 1 and $offset + $limit
),
spoken as (
    select group_id, signature from signatures semi join candidates using (group_id)
    union
    select outage_group_id, signature from signatures s semi join candidates q on q.group_id = s.outage_group_id
),
promised as (
    select j.group_id, min(c.due_at) as due_at
    from failures f
    join spoken j using (signature)
    join object_stakes s using (object_key)
    join clocks_at($as_of) c on c.lead_key = s.lead_key and coalesce(c.stopped_at > $as_of, true)
    where f.opened_at <= $as_of and (f.resolved_at is null or f.resolved_at > $as_of)
    group by j.group_id
),
timed as (
    select c.*, m.due_at,
        case when $sort = 'time' then row_number() over (order by m.due_at nulls last, c.blocked_amount desc, c.oldest_failed_at, c.group_id) else c.place end as shown_at
    from candidates c left join promised m using (group_id)
),
page as materialized (
    from timed where shown_at between $offset + 1 and $offset + $limit
),
named as (
    select j.group_id, f.sentence, f.error_code, f.last_failed_at, f.exception_id, f.opened_at
    from failures f
    join (from spoken semi join page using (group_id)) j using (signature)
    where f.opened_at <= $as_of
),
days as (
    select group_id, list(coalesce(n.opened, 0) order by d.day) as opened_by_day
    from (select group_id, unnest(range(14)) as day from page) d
    left join (select group_id, 13 - (epoch($as_of::timestamptz) - epoch(opened_at))::bigint // 86400 as day, count(*) as opened from named group by all) n using (group_id, day)
    group by group_id
),
words as (
    select group_id, arg_max(sentence, (last_failed_at, exception_id)) as sentence, arg_max(error_code, (last_failed_at, exception_id)) as error_code
    from named group by group_id
)
select p.group_id, p.state, p.kind, p.class, p.category, p.owner_team, p.owner_person, p.is_escalated, p.escalates_at, p.system, p.operation, o.label as operation_label,
    coalesce(w.sentence, check_sentence(o.label)) as sentence, w.error_code, p.open_count, p.resolved_count, p.regressed_count, p.order_count, p.customer_count, p.blocked_amount, p.touched_count, p.touched_amount, p.due_at, p.oldest_failed_at,
    p.first_seen_at, p.last_failed_at, epoch($as_of::timestamptz) - epoch(p.oldest_failed_at) as age_s, p.transient, p.confidence, p.rule, p.attempt_count,
    p.acknowledged_by, p.assigned_person, p.snoozed_until, p.tags, p.ticket, coalesce(p.note_count, 0) as note_count, p.outage_id, t.runbook, d.opened_by_day,
    coalesce(o.replayable, true) as replayable, k.reporting_currency, p.total_count
from page p
cross join cat_settings k
left join words w on w.group_id = p.group_id
left join days d on d.group_id = p.group_id
left join cat_operations o on o.operation = p.operation
left join cat_teams t on t.team = p.owner_team
order by p.shown_at
