-- alert_ceased: one row per member of an alert that no longer deserves it, with what is true of it now. By member_no.
-- $member_nos bigint[]; $as_of timestamptz
-- columns: member_no, alert_id, kind, object_id, title, clock_state, due_at, stopped_at, timeline_ended, failure_state, sentence
select m.member_no, m.alert_id, a.kind, m.object_id, a.title, k.state as clock_state, k.due_at, k.stopped_at_then as stopped_at,
    case when t.cancelled_at <= $as_of then 'cancelled' when t.completed_at <= $as_of then 'completed' end as timeline_ended,
    case when a.kind = 'exception' then coalesce(f.state, 'gone') end as failure_state, f.sentence
from alert_members m
join alerts a using (alert_id)
left join clock_states($as_of) k on k.lead_key = m.lead_key and k.promise = a.promise and a.kind in ('breach', 'at_risk')
left join timelines t on t.lead_key = m.lead_key
left join known_failures($as_of) f on 'exception:' || f.exception_id || ':' || f.episode = m.subject
where list_contains($member_nos, m.member_no)
order by m.member_no
