-- replay_evidence: one row per replayed item whose end is open, with what the traces say of it. Order: plan, item.
-- $late_since timestamptz: items that were settled for want of evidence, or on the engine's word, are still looked at if sent after this
-- columns: plan_id, item_no, run_ok, run_failed, milestone_at, signature (the cause of the newest failure, as in replay_candidates, if this replay made it), message
with open as (
    select * from replay_items
    where sent_at is not null and (outcome in ('sent', 'accepted', 'uncertain') or outcome in ('no_evidence', 'rejected') and sent_at > $late_since)
),
runs as (
    select i.plan_id, i.item_no, bool_or(not r.is_error) as run_ok,
        bool_or(r.is_error and coalesce(r.outcome, '') <> 'retrying') as run_failed,
        arg_max(r.message, r.ended_at) filter (r.is_error) as message
    from open i
    join operation_runs r on r.replay_id = i.replay_id and r.operation = i.operation
    where r.seq > (select min(sent_seq) from open)
    group by i.plan_id, i.item_no
),
newest as (
    select exception_id, replay_id, signature from failures qualify row_number() over (partition by exception_id order by episode desc) = 1
)
select i.plan_id, i.item_no, coalesce(r.run_ok, false) as run_ok, coalesce(r.run_failed, false) as run_failed,
    m.reached_at as milestone_at, coalesce(g.group_id, f.signature) as signature, r.message
from open i
left join runs r using (plan_id, item_no)
left join object_milestones m on m.object_key = i.object_key and m.milestone = i.milestone
left join newest f on f.exception_id = i.exception_id and f.replay_id = i.replay_id
left join signatures g on g.signature = f.signature
order by i.plan_id, i.item_no
