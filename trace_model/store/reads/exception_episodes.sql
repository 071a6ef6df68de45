-- exception_episodes: one row per episode of an exception that had begun at $as_of, oldest first: a second one is a regression.
-- $exception_id varchar; $as_of timestamptz
-- columns: episode, first_failed_at, opened_at, last_failed_at, resolved_at (null: not yet then), attempt_count, sentence
select episode, first_failed_at, opened_at, last_failed_at, case when resolved_at <= $as_of then resolved_at end as resolved_at, attempt_count, sentence
from failures
where exception_id = $exception_id and opened_at <= $as_of
order by episode
