-- timeline_milestones: one row per milestone that the timeline expects or has reached, in the declared order.
-- Reached ones come once per object that reached them (three shipments, three rows); coverage is the milestone's as a whole.
-- $lead_key ubigint; $as_of timestamptz
-- columns: milestone, label, position, reached_at (null: expected), object_type, object_id, system, coverage, covered_amount (lead's currency),
--   covered_quantity, amount and quantity of this object, planned_at (due instant of the clock that waits for it), is_paused (it stands still), owner_team, expected
with lead as (
    select * from timelines where lead_key = $lead_key
),
reached as (
    select a.milestone, a.reached_at, o.object_type, o.object_id, a.system, a.amount, a.currency, a.quantity, m.share,
        replace(a.trace_id::varchar, '-', '') as trace_id
    from timeline_members m
    join object_milestones a using (object_key)
    join objects o using (object_key)
    where m.lead_key = $lead_key and a.reached_at <= $as_of
),
planned as (
    select p.stop as milestone, min(c.due_at) as planned_at, bool_or(c.paused_by is not null and c.stopped_at is null) as is_paused
    from clocks_at($as_of) c join cat_promises p using (promise)
    where c.lead_key = $lead_key
    group by p.stop
)
select c.milestone, c.label, c.position, r.reached_at, coalesce(r.object_type, c.object_type) as object_type, r.object_id,
    coalesce(r.system, c.system) as system, case when r.reached_at is null then 'none' else t.coverage end as coverage,
    t.covered_amount, t.covered_quantity, r.amount, r.currency, r.quantity, r.share, p.planned_at, coalesce(p.is_paused, false) as is_paused, c.owner_team, r.trace_id,
    t.complete_at, t.undone_at, c.covers, c.cancels, c.undoes
from cat_milestones c
cross join lead l
left join reached r on r.milestone = c.milestone
left join timeline_milestones t on t.lead_key = $lead_key and t.milestone = c.milestone
left join planned p on p.milestone = c.milestone
where r.reached_at is not null
   or (c.expected = 'always'
       and expects(c, l))
order by c.position, r.reached_at nulls last, r.object_id
