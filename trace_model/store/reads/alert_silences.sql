-- alert_silences: one row per silence that holds at $as_of: asked for, not lifted, its end ahead. The next to end first.
-- $as_of timestamptz
-- columns: silence_id, kind, owner_team, system, promise, group_id, cause_key (null: any), until, actor, acted_at, reason
select s.action_no::varchar as silence_id, s.detail->>'kind' as kind, s.detail->>'owner_team' as owner_team, s.detail->>'system' as system,
    s.detail->>'promise' as promise, s.detail->>'group_id' as group_id, s.detail->>'cause_key' as cause_key,
    (s.detail->>'until')::timestamptz as until, s.actor, s.acted_at, s.reason
from operator_actions s
where s.subject_type = 'alert_silence' and s.deed = 'silence' and s.acted_at <= $as_of and (s.detail->>'until')::timestamptz > $as_of
  and not exists (
      select 1 from operator_actions l
      where l.subject_type = 'alert_silence' and l.deed = 'lift' and l.acted_at <= $as_of and l.subject_id = s.action_no::varchar)
order by until, s.action_no
