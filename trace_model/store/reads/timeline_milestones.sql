-- timeline_milestones: one row per milestone that the timeline expects or has reached, in the declared order.
-- Reached ones come once per object that reached them (three shipments, three rows); coverage is the milestone's as a whole, by what was reached and
-- taken back until then: what came later is not in it (projection/30a_coverage_steps.sql is the rule, 31_timeline_milestones.sql its sum over all time).
-- $lead_key ubigint; $as_of timestamptz
-- columns: milestone, label, position, reached_at (null: expected), object_type, object_id, system, coverage, covered_amount (lead's currency),
--   covered_quantity, amount and quantity of this object, planned_at (due instant of the clock that waits for it), is_paused (it stands still), owner_team, expected
with lead as (
    select * from timelines where lead_key = $lead_key
),
reached as (
    select a.milestone, a.reached_at, o.object_type, o.object_id, a.system, a.amount, a.currency, a.quantity, m.share, m.parts,
        coalesce(a.amount, o.amount) as worth, coalesce(a.currency, o.currency) as worth_in, coalesce(a.quantity, o.quantity) as pieces,
        replace(a.trace_id::varchar, '-', '') as trace_id
    from timeline_members m
    join object_milestones a using (object_key)
    join objects o using (object_key)
    where m.lead_key = $lead_key and a.reached_at <= $as_of
),
measured as (
    select r.milestone, c.covers, c.undoes, c.lessens, r.reached_at,
        try_cast(allotted(r.worth, r.parts, minor_digits(coalesce(r.worth_in, l.lead_in)))
            * case when coalesce(r.worth_in, l.lead_in) = l.lead_in then 1 else f.rate / l.rate end as decimal(18, 4)) as amount,
        allotted(r.pieces, r.parts, 4) as quantity
    from reached r
    join cat_milestones c using (milestone)
    cross join (
        select coalesce(t.currency, k.reporting_currency) as lead_in, x.rate
        from lead t cross join cat_settings k left join cat_rates x on x.currency = coalesce(t.currency, k.reporting_currency)
    ) l
    left join cat_rates f on f.currency = coalesce(r.worth_in, l.lead_in)
    where r.share > 0
),
steps as (
    select milestone, covers, 1 as sign, reached_at, amount, quantity, null as lessened from measured
    union all
    select u.milestone, u.covers, -1, m.reached_at, m.amount, m.quantity, null
    from measured m join cat_milestones u on u.milestone = m.undoes
    union all
    select u.milestone, u.covers, 0, m.reached_at, null, null, m.amount
    from measured m join cat_milestones u on u.covers = 'amount' and u.expected = 'always'
    where m.lessens
),
covered as (
    select milestone, max(reached_at) filter (sign = -1) as undone_at, try_cast(sum(sign * amount) as decimal(18, 4)) as covered_amount,
        try_cast(sum(sign * quantity) as decimal(18, 4)) as covered_quantity,
        coalesce(
            covered_part(any_value(covers), whole, pieces, sum(sign * amount), sum(sign * quantity), sum(lessened), bool_or(sign < 0)),
            case when sum(sign) > 0 then 1.0 else 0.0 end)::double as part
    from steps cross join (select amount as whole, quantity as pieces from lead)
    group by milestone, whole, pieces
),
planned as (
    select p.stop as milestone, min(c.due_at) as planned_at, bool_or(c.paused_by is not null and c.stopped_at is null) as is_paused
    from clocks_at($as_of) c join cat_promises p using (promise)
    where c.lead_key = $lead_key
    group by p.stop
)
select c.milestone, c.label, c.position, r.reached_at, coalesce(r.object_type, c.object_type) as object_type, r.object_id,
    coalesce(r.system, c.system) as system, case when r.reached_at is null then 'none' else coverage_of(v.part) end as coverage,
    v.covered_amount, v.covered_quantity, r.amount, r.currency, r.quantity, r.share, p.planned_at, coalesce(p.is_paused, false) as is_paused, c.owner_team, r.trace_id,
    t.complete_at, v.undone_at, c.covers, c.cancels, c.undoes
from cat_milestones c
cross join lead l
left join reached r on r.milestone = c.milestone
left join timeline_milestones t on t.lead_key = $lead_key and t.milestone = c.milestone
left join covered v on v.milestone = c.milestone
left join planned p on p.milestone = c.milestone
where r.reached_at is not null
   or (c.expected = 'always'
       and expects(c, l))
order by c.position, r.reached_at nulls last, r.object_id
