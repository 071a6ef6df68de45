-- audit: one row per deed, latest first.
-- $subject_type, $subject_id, $actor, $deed varchar or null; $offset, $limit int; $as_of timestamptz
-- optional: $deed
select action_no, acted_at, actor, deed, subject_type, subject_id, reason, detail, previous_hash, hash, count(*) over () as total_count
from operator_actions
where acted_at <= $as_of
  and ($subject_type is null or subject_type = $subject_type)
  and ($subject_id is null or subject_id = $subject_id)
  and ($actor is null or actor = $actor)
  and ($deed is null or deed = $deed)
order by action_no desc
limit $limit offset $offset
