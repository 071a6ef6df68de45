-- span_rate: one row per minute of the $minutes minutes before $as_of: spans received.
select time_bucket(interval 1 minute, received_at) as minute_at, count(*) as span_count
from spans
where received_at > $as_of - to_minutes($minutes) and received_at <= $as_of
group by minute_at
order by minute_at
