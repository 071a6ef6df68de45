-- replay_recoverable: one row per system with open dependency failures that, since they last failed, were neither sent nor planned by $watch.
-- $watch varchar (the actor that watches); $as_of timestamptz
-- columns: system, exception_ids (most money first), last_failed_at. Ordered by system.
with waiting as (
    select f.system, f.exception_id, f.blocked_amount, f.last_failed_at
    from open_failures($as_of) f
    left join cat_operations o on o.operation = f.operation
    where f.class = 'dependency' and f.system is not null and coalesce(f.outcome, '') <> 'retrying' and coalesce(o.replayable, true)
      and not exists (
          select 1 from replay_items i join replay_plans p using (plan_id)
          where i.exception_id = f.exception_id and p.created_at > f.last_failed_at
            and (p.created_by = $watch or p.executed_at is not null and i.decision <> 'skip')
      )
)
select system, list(exception_id order by blocked_amount desc nulls last, exception_id) as exception_ids, max(last_failed_at) as last_failed_at
from waiting
group by system
order by system
