-- alert_list: one row per alert raised by $as_of. Open first, then the latest raised, then the id.
-- $state 'open'|'ended' or null; $kind, $owner_team varchar or null; $alert_id varchar or null; $as_of timestamptz; $offset, $limit int
-- columns: as alerts, plus state 'open'|'resolved'|'withdrawn', ended_at, end_text, member_count (still concerned), left_count, withdrawn_count, amount (of those
--   still concerned, reporting currency), example_type, example_id, example_scope (the longest concerned, and whose id it is), examples (first three ids), first_due_at, acknowledged_by, acknowledged_at,
--   escalated_at, delivered_count, pending_count, failed_count, last_error, updated_at, update_text, total_count
with shown as (
    select * from alerts where raised_at <= $as_of and ($alert_id is null or alert_id = $alert_id)
      and ($kind is null or kind = $kind) and ($owner_team is null or owner_team = $owner_team)
),
ends as (
    select alert_id,
        arg_max(event, event_no) filter (event in ('resolved', 'withdrawn')) as end_event, max(happened_at) filter (event in ('resolved', 'withdrawn')) as ended_at,
        arg_max(detail, event_no) filter (event in ('resolved', 'withdrawn')) as end_text, min(happened_at) filter (event = 'escalated') as escalated_at,
        max(happened_at) filter (event in ('raised', 'updated')) as updated_at,
        arg_max(detail, event_no) filter (event = 'updated') as update_text
    from alert_events where happened_at <= $as_of group by alert_id
),
members as (
    select m.alert_id, count(*) filter (d.member_no is null) as member_count, count(d.member_no) as left_count,
        count(*) filter (d.because = 'withdrawn') as withdrawn_count, sum(m.amount) filter (d.member_no is null) as amount,
        arg_min(m.object_type, (m.since, m.object_id)) filter (d.member_no is null) as example_type,
        arg_min(m.object_id, (m.since, m.object_id)) filter (d.member_no is null) as example_id,
        arg_min(t.lead_scope, (m.since, m.object_id)) filter (d.member_no is null) as example_scope,
        list(m.object_id order by m.since, m.object_id) filter (d.member_no is null) as ids,
        min(m.since) filter (d.member_no is null) as first_due_at
    from alert_members m
    left join timelines t on t.lead_key = m.lead_key and t.lead_type = m.object_type and t.lead_id = m.object_id
    left join alert_departures d on d.member_no = m.member_no and d.left_at <= $as_of
    where m.joined_at <= $as_of and m.alert_id in (select alert_id from shown)
    group by m.alert_id
),
answered as (
    select subject_type, subject_id, arg_min(actor, action_no) as acknowledged_by, min(acted_at) as acknowledged_at
    from operator_actions where deed = 'acknowledge' and subject_type = 'alert' and acted_at <= $as_of
    group by subject_type, subject_id
),
sent as (
    select alert_id, count(*) filter (state = 'delivered') as delivered_count, count(*) filter (state = 'pending') as pending_count,
        count(*) filter (state = 'failed') as failed_count, arg_max(detail, delivery_no) filter (state = 'failed' or (state = 'pending' and attempt_count > 0)) as last_error
    from alert_deliveries where created_at <= $as_of group by alert_id
),
listed as (
    select a.*, coalesce(e.end_event, 'open') as state, e.ended_at, e.end_text, coalesce(m.member_count, 0) as member_count, coalesce(m.left_count, 0) as left_count,
        coalesce(m.withdrawn_count, 0) as withdrawn_count, m.amount::decimal(18, 2) as amount, m.example_type, m.example_id, m.example_scope, m.ids[1:3] as examples, m.first_due_at,
        coalesce(w.acknowledged_by, g.acknowledged_by) as acknowledged_by,
        coalesce(w.acknowledged_at, g.acknowledged_at) as acknowledged_at, e.escalated_at,
        coalesce(s.delivered_count, 0) as delivered_count, coalesce(s.pending_count, 0) as pending_count, coalesce(s.failed_count, 0) as failed_count, s.last_error,
        e.updated_at, e.update_text
    from shown a
    left join ends e using (alert_id)
    left join members m using (alert_id)
    left join answered w on w.subject_id = a.alert_id
    left join group_deeds($as_of) g on g.group_id = a.group_id and g.acknowledged_at >= a.since
    left join sent s using (alert_id)
)
select *, count(*) over () as total_count
from listed
where $state is null or (state = 'open') = ($state = 'open')
order by state <> 'open', raised_at desc, alert_id
limit $limit offset $offset
