-- alert_events: one row per turn that one alert took by $as_of, in order.
-- $alert_id varchar; $as_of timestamptz; columns: event_no, happened_at, event, detail
select event_no, happened_at, event, detail
from alert_events
where alert_id = $alert_id and happened_at <= $as_of
order by event_no
