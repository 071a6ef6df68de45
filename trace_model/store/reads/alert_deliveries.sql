-- alert_deliveries: one row per message created by $as_of, as it stands now. Failed first, then pending, then the latest.
-- $alert_id, $state varchar or null; $as_of timestamptz; $offset, $limit int
-- columns: delivery_id, alert_id, channel, event, created_at, not_before, state, attempt_count, next_attempt_at, settled_at, detail, title, kind, total_count
select d.delivery_id, d.alert_id, d.channel, d.event, d.created_at, d.not_before, d.state, d.attempt_count, d.next_attempt_at, d.settled_at, d.detail,
    a.title, a.kind, count(*) over () as total_count
from alert_deliveries d join alerts a using (alert_id)
where d.created_at <= $as_of and ($alert_id is null or d.alert_id = $alert_id) and ($state is null or d.state = $state)
order by case d.state when 'failed' then 0 when 'pending' then 1 else 2 end, d.delivery_no desc
limit $limit offset $offset
