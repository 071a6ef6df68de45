-- replay_recoverable: one row per open dependency failure that, since it last failed, was neither sent nor planned by $watch.
-- $watch varchar (the actor that watches); $as_of timestamptz
-- columns: system, exception_id, tries (replays of this episode that have ended without success), tried_at (the end of the last of them, or null).
--   Ordered by system, then most money first, then exception_id.
with waiting as (
    select f.system, f.exception_id, f.operation, f.object_key, f.episode, f.blocked_amount
    from open_failures($as_of) f
    left join cat_operations o on o.operation = f.operation
    where f.class = 'dependency' and f.system is not null and coalesce(f.outcome, '') <> 'retrying' and coalesce(o.replayable, true)
      and not exists (
          select 1 from replay_items i join replay_plans p using (plan_id)
          where i.exception_id = f.exception_id and p.created_at > f.last_failed_at
            and (p.created_by = $watch or p.executed_at is not null and i.decision <> 'skip')
      )
),
tried as (
    select w.exception_id, count(*) as tries, max(i.settled_at) as tried_at
    from waiting w join replay_items i on i.operation = w.operation and i.object_key = w.object_key and i.episode = w.episode
    where i.sent_at is not null and i.outcome in ('failed_again', 'rejected', 'no_evidence')
    group by w.exception_id
)
select w.system, w.exception_id, coalesce(t.tries, 0) as tries, t.tried_at
from waiting w left join tried t using (exception_id)
order by w.system, w.blocked_amount desc nulls last, w.exception_id
