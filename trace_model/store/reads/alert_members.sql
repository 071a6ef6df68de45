-- alert_members: one row per thing an alert is or was about at $as_of. Those still concerned first, then the longest concerned, then the id.
-- $alert_id varchar; $as_of timestamptz; $offset, $limit int
-- columns: subject, object_type, object_id, lead_type, lead_id, lead_scope (whose timeline it stands in), amount (reporting currency), since, joined_at, left_at, because, detail, total_count
select m.subject, m.object_type, m.object_id, t.lead_type, t.lead_id, t.lead_scope, m.amount, m.since, m.joined_at, d.left_at, d.because, d.detail, count(*) over () as total_count
from alert_members m
left join timelines t on t.lead_key = m.lead_key
left join alert_departures d on d.member_no = m.member_no and d.left_at <= $as_of
where m.alert_id = $alert_id and m.joined_at <= $as_of
order by d.member_no is not null, m.since, m.object_id, m.member_no
limit $limit offset $offset
