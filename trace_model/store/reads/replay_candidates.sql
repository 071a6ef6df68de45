-- replay_candidates: one row per exception that was named, with every fact the plan rules look at (trace_model/replays.py).
-- $exception_ids varchar[] or null; $group_id varchar or null (a group means its open exceptions); $digest_paths varchar[]; $as_of timestamptz
-- columns: as replays.Candidate; signature is the cause: what the failure was grouped by before any outage, the values in its message folded; amount in reporting currency; due_at the nearest running deadline of the lead. Ordered by exception_id.
with named as (
    select f.*, o.milestone, o.writes, coalesce(o.replayable, true) as is_replayable
    from known_failures($as_of) f left join cat_operations o on o.operation = f.operation
    where ($exception_ids is null or list_contains($exception_ids, f.exception_id))
      and ($group_id is null or f.group_id = $group_id and f.state = 'open')
),
subjects as (
    -- the failed run itself: which version of the object it carried, and where its span stands
    select n.exception_id, any_value(a.object_version) as failed_version, any_value(a.seq) as seq
    from named n join object_facts a on a.trace_id = n.trace_id and a.span_id = n.span_id and a.is_subject
    group by n.exception_id
),
digests as (
    select j.exception_id, list_filter(json_extract_string(s.attributes, $digest_paths::varchar[]), lambda d: d is not null)[1] as payload_digest
    from subjects j join spans s on s.seq = j.seq
),
cancelled as (
    select n.exception_id, case when count(*) = count(t.cancelled_at) then max(t.cancelled_at) end as cancelled_at
    from named n
    join timeline_members m on m.object_key = n.object_key and m.direction <> 'up'
    join timelines t on t.lead_key = m.lead_key
    group by n.exception_id
),
due as (
    select lead_key, min(due_at) as due_at from clocks_at($as_of) where stopped_at is null or stopped_at > $as_of group by lead_key
),
earlier as (
    select n.exception_id,
        any_value(i.plan_id) filter (i.outcome in ('sent', 'accepted', 'uncertain')) as outstanding_plan_id,
        count(*) filter (i.episode = n.episode and i.outcome not in ('sent', 'accepted', 'uncertain')) as tries,
        arg_max({'outcome': i.outcome, 'replay_id': i.replay_id, 'signature': i.signature, 'settled_at': i.settled_at}, i.sent_at)
            filter (i.episode = n.episode) as last
    from named n join replay_items i on i.operation = n.operation and i.object_key = n.object_key and i.sent_at is not null
    group by n.exception_id
),
successes as (
    -- the last time that anything succeeded at a system, for those whose failures a replay has met again
    select system, max(ended_at) as succeeded_at
    from operation_runs
    where not is_error and ended_at <= $as_of and system in (select n.system from named n join earlier using (exception_id))
    group by system
)
select n.exception_id, n.group_id, n.operation, n.object_type, n.object_id, n.object_key, n.system, n.episode,
    replace(n.trace_id::varchar, '-', '') as trace_id, printf('%016x', n.span_id) as span_id,
    n.state, n.class as failure_class, coalesce(g.group_id, n.signature) as signature, n.last_failed_at, n.milestone, b.object_version, j.failed_version, d.payload_digest,
    n.blocked_amount::decimal(18, 4) as amount, k.reporting_currency as currency, u.due_at, n.is_replayable as replayable,
    coalesce(n.writes, []::varchar[]) as writes, coalesce(n.outcome = 'retrying', false) as retrying, m.reached_at as milestone_at,
    c.cancelled_at, e.outstanding_plan_id, coalesce(e.tries, 0) as tries,
    case when e.last.outcome = 'no_evidence' then e.last.replay_id end as unproven_replay_id,
    case when e.last.outcome = 'failed_again' then e.last.signature end as last_replay_signature,
    case when e.last.outcome = 'failed_again' then e.last.settled_at end as last_replay_failed_at,
    n.class = 'dependency' and coalesce(s.succeeded_at > n.last_failed_at, false) as succeeded_since,
    n.owner_team
from named n
cross join cat_settings k
left join signatures g on g.signature = n.signature
left join objects b on b.object_key = n.object_key
left join subjects j on j.exception_id = n.exception_id
left join digests d on d.exception_id = n.exception_id
left join cancelled c on c.exception_id = n.exception_id and c.cancelled_at <= $as_of
left join due u on u.lead_key = n.lead_key
left join earlier e on e.exception_id = n.exception_id
left join successes s on s.system = n.system
left join object_milestones m on m.object_key = n.object_key and m.milestone = n.milestone and m.reached_at <= $as_of
order by n.exception_id
