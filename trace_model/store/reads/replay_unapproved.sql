-- replay_unapproved: one row: what plans that nobody approved, asked for or executed by $actor since an instant, have sent or are about to send.
-- What such a plan skipped in the end counts nothing.
-- $actor varchar; $since timestamptz (when they were executed); $except_plan varchar or null (a plan that does not count)
-- columns: item_count, amount (reporting currency)
select count(*) as item_count, coalesce(sum(i.amount), 0)::decimal(18, 4) as amount
from replay_items i join replay_plans p using (plan_id)
where p.executed_at > $since and not p.needs_approval and (p.created_by = $actor or p.executed_by = $actor)
  and p.plan_id is distinct from $except_plan and i.decision <> 'skip' and i.outcome <> 'skipped'
