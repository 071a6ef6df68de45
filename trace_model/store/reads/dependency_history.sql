-- dependency_history: one row per system and 5 minutes of the $hours hours before $as_of: how many runs, how many failed.
-- $as_of timestamptz; $hours int
select system, time_bucket(interval 5 minute, ended_at) as bucket_at, count(*) as call_count, count(*) filter (is_error) as failed_count
from operation_runs
where ended_at > $as_of - to_hours($hours) and ended_at <= $as_of
group by system, bucket_at
order by system, bucket_at
