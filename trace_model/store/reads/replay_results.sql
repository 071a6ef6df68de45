-- replay_results: one row per cause, runbook or engine: what became of the items sent in the $days before $as_of, as known now. Most sent first, then name.
-- cause: class and category of the failure that was replayed; runbook: the team that owned it at planning; engine: who carried it out.
-- $by varchar ('cause', 'runbook', 'engine'); $days int; $as_of timestamptz
-- columns: name, class (of a cause), sent_count, milestone_reached, failed_same, failed_other, rejected, no_evidence, open_count (not ended yet; all of
--   these add up to sent_count), doubted_count (of those: not known for a while whether they were taken), success_share (of those that ended),
--   p50_s, p90_s (from the sending to the milestone)
with causes as (
    select cause, min(class) as class, min(category) as category
    from (select group_id as cause, class, category from signatures union all select signature, class, category from signatures)
    group by cause
),
sent as (
    select i.*, g.class, g.category,
        case $by when 'cause' then coalesce(g.category, 'unknown') when 'runbook' then i.owner_team when 'engine' then i.engine end as name
    from replay_items i left join causes g on g.cause = i.signature
    where i.sent_at > $as_of - to_days($days) and i.sent_at <= $as_of
),
timed as (
    -- how long it took is not known where only the target's own answer, asked after the wait, has told of it
    select s.*, case when s.outcome = 'milestone_reached' and not coalesce(starts_with(s.detail, 'the target has it'), false) then
        greatest(epoch(case when m.reached_at >= s.sent_at then m.reached_at else s.settled_at end) - epoch(s.sent_at), 0) end as took_s
    from sent s left join object_milestones m on m.object_key = s.object_key and m.milestone = s.milestone
)
select coalesce(name, 'unknown') as name, case when $by = 'cause' then any_value(class) end as class, count(*) as sent_count,
    count(*) filter (outcome = 'milestone_reached') as milestone_reached,
    count(*) filter (outcome = 'failed_again' and not coalesce(starts_with(detail, 'other cause'), false)) as failed_same,
    count(*) filter (outcome = 'failed_again' and starts_with(detail, 'other cause')) as failed_other,
    count(*) filter (outcome = 'rejected') as rejected,
    count(*) filter (outcome = 'no_evidence') as no_evidence,
    count(*) filter (outcome not in ('milestone_reached', 'failed_again', 'rejected', 'no_evidence')) as open_count,
    count(*) filter (doubted_at is not null) as doubted_count,
    count(*) filter (outcome = 'milestone_reached') / nullif(count(*) filter (outcome in ('milestone_reached', 'failed_again', 'rejected', 'no_evidence')), 0) as success_share,
    quantile_cont(took_s, 0.5) as p50_s, quantile_cont(took_s, 0.9) as p90_s
from timed
group by coalesce(name, 'unknown')
order by sent_count desc, name
