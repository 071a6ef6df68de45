-- replay_progress: one row per running plan: how far its sending has come, in counts. Oldest plan first, then plan_id.
-- Items that are skipped by the plan itself count nowhere; `since` counts those after the plan's last canary point (canary_from).
-- columns: plan_id, waiting_count (planned, not sent), open_count (sent, not ended), since_count, since_gone (of those, no longer planned and
--   not skipped), since_outcomes (outcome -> items), novel_type, novel_id, novel_detail (the first of those that failed with another cause, or null)
with sends as (
    select i.plan_id, i.item_no, i.object_type, i.object_id, i.outcome, i.detail, p.created_at, i.item_no > p.canary_from as is_since
    from replay_items i join replay_plans p using (plan_id)
    where p.state = 'running' and i.decision <> 'skip'
)
select plan_id,
    count(*) filter (outcome = 'planned') as waiting_count,
    count(*) filter (outcome in ('sent', 'accepted', 'uncertain')) as open_count,
    count(*) filter (is_since) as since_count,
    count(*) filter (is_since and outcome not in ('planned', 'skipped')) as since_gone,
    histogram(outcome) filter (is_since) as since_outcomes,
    arg_min(object_type, item_no) filter (is_since and outcome = 'failed_again' and starts_with(detail, 'other cause')) as novel_type,
    arg_min(object_id, item_no) filter (is_since and outcome = 'failed_again' and starts_with(detail, 'other cause')) as novel_id,
    arg_min(detail, item_no) filter (is_since and outcome = 'failed_again' and starts_with(detail, 'other cause')) as novel_detail
from sends
group by plan_id
order by any_value(created_at), plan_id
