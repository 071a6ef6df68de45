-- timeline_pauses: one row per timeline, pause and stretch for which it stands; until_at null while it lasts. Replaced by lead_key.
-- Spans of its objects and people say when it opens and closes, and either may close what the other opened. Opening what is open
-- and closing what is closed change nothing; of two signs at one instant the opening comes first.
-- A deed says whose id it means (scope); one that does not means every object of the id.
-- opened_by, closed_by: the system or person whose word it was.
with signs as (
    select m.lead_key, s.pause, s.is_opening, s.said_at, s.system as said_by
    from timeline_members_fresh m join object_pause_signs s using (object_key)
    where m.share > 0
    union all
    select m.lead_key, a.detail->>'pause', a.deed = 'pause', (a.detail->>'at')::timestamptz, a.actor
    from operator_actions a
    join near_rows o on a.subject_id = o.object_type || ':' || o.object_id and coalesce(a.detail->>'scope', o.scope) = o.scope
    join timeline_members_fresh m on m.object_key = o.object_key and m.share > 0
    where a.subject_type = 'timeline' and a.deed in ('pause', 'resume')
),
numbered as (
    select *, count(case when not is_opening then 1 end) over (
        partition by lead_key, pause order by said_at, not is_opening, said_by rows between unbounded preceding and 1 preceding
    ) as stretch
    from signs
)
select lead_key, pause, min(said_at) filter (is_opening) as from_at, min(said_at) filter (not is_opening) as until_at,
    arg_min(said_by, (said_at, said_by)) filter (is_opening) as opened_by,
    arg_min(said_by, (said_at, said_by)) filter (not is_opening) as closed_by
from numbered
group by lead_key, pause, coalesce(stretch, 0)
having bool_or(is_opening)
