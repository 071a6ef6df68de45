-- timeline_milestones: one row per lead object and milestone that any object of its timeline reached. Replaced by lead_key.
-- reached_at first evidence; complete_at when coverage became complete for good (null while it is not); undone_at when it was last
-- taken back. Amounts are in the lead's currency, and only where a rate is known.
-- coverage: none, partial, complete, over, by the amount or quantity taken back already; where neither is known, or the milestone
-- covers 'once', it is complete when reached more often than taken back.
-- A milestone that lessens (a credit note) lowers what is left to cover: an order that is credited by 15 % is paid with 85 %, and one
-- that is credited wholly has nothing left to pay, so its payment is complete without one (reached_at null).
with summed as (
    select lead_key, milestone,
        min(reached_at) filter (sign = 1) as reached_at,
        max(reached_at) filter (sign = 1) as last_at,
        max(reached_at) filter (sign = -1) as undone_at,
        max(reached_at) filter (coverage_of(part) in ('none', 'partial')) as incomplete_at,
        try_cast(sum(sign * amount) as decimal(18, 4)) as covered_amount,
        try_cast(sum(sign * quantity) as decimal(18, 4)) as covered_quantity,
        arg_max(part, reached_at) as part
    from coverage_steps
    group by lead_key, milestone
),
completed as (
    select g.lead_key, g.milestone, min(g.reached_at) as complete_at
    from coverage_steps g join summed s on s.lead_key = g.lead_key and s.milestone = g.milestone
    where coverage_of(g.part) in ('complete', 'over') and g.reached_at > coalesce(s.incomplete_at, '-infinity'::timestamptz)
    group by g.lead_key, g.milestone
)
select s.lead_key, s.milestone, s.reached_at, c.complete_at, s.last_at, s.undone_at, s.covered_amount, s.covered_quantity,
    coverage_of(s.part) as coverage
from summed s left join completed c using (lead_key, milestone)
where s.reached_at is not null or c.complete_at is not null
