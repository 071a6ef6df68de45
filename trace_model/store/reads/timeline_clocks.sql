-- timeline_clocks: one row per promise that has started for a timeline, with its state at $as_of, in the catalogue's order.
-- $lead_key ubigint; $as_of timestamptz
-- columns: promise, label, start, stop, started_at, at_risk_at, due_at (null while paused), stopped_at, state, owner_team, paused_by (the pause's label),
--   target_s (working seconds promised), calendar; variant that counts, why (what it names; null: it is made to all), outranked (variants
--   that hold too and name less), withdrawn_at: when we learned that it was on time, after we
--   had seen it run past its due instant (null for history that was loaded later: no breach was ever shown)
with clocks_then as (
    select * from clock_states($as_of) where lead_key = $lead_key
),
holding as (
    select v.promise, v.variant, v.rank
    from cat_promise_variants v join (from timelines where lead_key = $lead_key) t on promise_holds(v, t)
),
evidence as (
    select a.milestone, a.reached_at, a.trace_id, a.span_id, t.first_seq, t.last_seq
    from timeline_members m join object_milestones a using (object_key) join traces t using (trace_id)
    where m.lead_key = $lead_key
),
stretch as (
    select min(first_seq) as first_seq, max(last_seq) as last_seq from evidence
),
reported as (
    select e.milestone, e.reached_at, min(s.received_at) as received_at
    from spans s, stretch x, evidence e
    where s.seq between x.first_seq and x.last_seq and s.trace_id = e.trace_id and s.span_id = e.span_id
    group by e.milestone, e.reached_at
)
select c.promise, c.label, c.start, c.stop, c.started_at, c.at_risk_at, c.due_at, c.stopped_at_then as stopped_at, c.state, c.owner_team,
    p.label as paused_by, c.target_s, v.calendar, c.variant, v.condition_words as why,
    coalesce((
        select list(h.variant order by h.rank) from holding h join cat_promise_variants o on o.promise = h.promise and o.variant = h.variant
        where h.promise = c.promise and h.rank > v.rank
            and (o.valid_from_at is null or c.started_at >= o.valid_from_at) and (o.valid_until_at is null or c.started_at < o.valid_until_at)
    ), []) as outranked,
    case when c.state = 'met' and b.received_at <= c.due_at and r.received_at > c.due_at and r.received_at <= $as_of then r.received_at end as withdrawn_at
from clocks_then c
join cat_promise_variants v on v.promise = c.promise and v.variant = c.variant
left join cat_pauses p on p.pause = c.paused_by
left join reported r on r.milestone = c.stop and r.reached_at = c.stopped_at_then
left join reported b on b.milestone = c.start and b.reached_at = c.started_at
order by c.position
