-- exception_episodes: one row per episode of an exception that had begun at $as_of, oldest first: a second one is a regression.
-- $exception_id varchar; $lead_key ubigint: of a stuck flow, its timeline; $as_of timestamptz
-- optional: $lead_key
-- columns: episode, first_failed_at (of a stuck flow: since when nothing moves), opened_at, last_failed_at, resolved_at (null: not yet then), attempt_count,
--   sentence, ended_with (what ended a standstill, in words)
select episode, first_failed_at, opened_at, last_failed_at, case when resolved_at <= $as_of then resolved_at end as resolved_at, attempt_count, sentence,
    null as ended_with
from failures
where exception_id = $exception_id and opened_at <= $as_of
union all
select episode, since_at, opened_at, opened_at, resolved_at, 1, check_sentence(message), ended_with
from stuck_episodes($as_of, coalesce($lead_key, 0)) where exception_id = $exception_id
order by episode
