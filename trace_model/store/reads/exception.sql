-- exception: at most one row: one exception at $as_of, with what it holds up and what was promised.
-- $exception_id varchar; $as_of timestamptz
-- columns: as known_failures, trace and span ids in hex, plus operation_label, replayable, is_check, writes, milestone, milestone_label (what success would have reached, else what the lead reaches
--   next; null: a check, which holds up nothing), promise_label, promise_state, due_at (the
--   nearest promise of the lead that is not kept), lead_amount, lead_currency, lead_state, runbook, reporting_currency, age_s
with standing as (
    -- the timeline, if this is a standstill: the others need not be judged
    select any_value(s.lead_key) as lead_key
    from silences s join cat_checks h on h.kind = 'stuck_flow' and h.milestone is not distinct from s.milestone
    where stuck_flow_id(h.operation, s.lead_key, s.since_at) = $exception_id
),
held as materialized (
    select * from (
        from known_failures($as_of, [$exception_id])
        union all by name
        from stuck_flows($as_of, only_lead := coalesce((select lead_key from standing), 0))
    ) where exception_id = $exception_id
),
promised as (
    select c.lead_key, arg_min(c.label, c.due_at) as promise_label, arg_min(c.state, c.due_at) as promise_state, min(c.due_at) as due_at
    from clock_states($as_of) c
    where c.lead_key in (select lead_key from held) and c.state in ('running', 'at_risk', 'breached')
    group by c.lead_key
),
following as (
    select t.lead_key, arg_min(c.milestone, c.position) as milestone, arg_min(c.label, c.position) as label
    from timelines t
    join cat_milestones c on c.expected = 'always'
        and expects(c, t)
    left join timeline_milestones m on m.lead_key = t.lead_key and m.milestone = c.milestone
    where t.lead_key in (select lead_key from held) and (m.complete_at is null or m.complete_at > $as_of)
    group by t.lead_key
)
select f.* exclude (object_key, trace_id, span_id, signature),
    replace(f.trace_id::varchar, '-', '') as trace_id, case when f.span_id is not null then printf('%016x', f.span_id) end as span_id,
    coalesce(o.label, f.operation) as operation_label, coalesce(o.replayable, true) as replayable,
    f.kind not in ('failed_operation', 'unknown_status') as is_check, coalesce(o.writes, []) as writes,
    coalesce(o.milestone, n.milestone) as milestone, coalesce(m.label, n.label) as milestone_label, p.promise_label, p.promise_state, p.due_at, t.amount as lead_amount, t.currency as lead_currency,
    g.runbook, k.reporting_currency, epoch($as_of::timestamptz) - epoch(f.opened_at) as age_s
from held f
cross join cat_settings k
left join cat_operations o on o.operation = f.operation
left join cat_milestones m on m.milestone = o.milestone
left join following n on n.lead_key = f.lead_key and f.trace_id is not null
left join timelines t on t.lead_key = f.lead_key
left join promised p on p.lead_key = f.lead_key
left join cat_teams g on g.team = f.owner_team
