-- timeline_milestones: one row per lead object and milestone that any object of its timeline reached. Replaced by lead_key.
-- reached_at first evidence; complete_at when coverage became complete for good (null while it is not); undone_at when it was last
-- taken back. Amounts are in the lead's currency, and only where a rate is known.
-- coverage: none, partial, complete, over, by the amount or quantity taken back already; where neither is known, or the milestone
-- covers 'once', it is complete when reached more often than taken back.
-- A milestone that lessens (a credit note) lowers what is left to cover: an order that is credited by 15 % is paid with 85 %, and one
-- that is credited wholly has nothing left to pay, so its payment is complete without one (reached_at null).
with leads as (
    select m.lead_key, o.amount, coalesce(o.currency, c.reporting_currency) as currency, o.quantity, r.rate
    from timeline_members_fresh m
    join near_rows o on o.object_key = m.lead_key
    cross join cat_settings c
    left join cat_rates r on r.currency = coalesce(o.currency, c.reporting_currency)
    where m.depth = 0
),
said as (
    select m.lead_key, a.milestone, a.reached_at, m.parts, m.direction,
        coalesce(a.amount, o.amount) as amount, coalesce(a.quantity, o.quantity) as quantity,
        coalesce(a.currency, o.currency, l.currency) as currency
    from timeline_members_fresh m
    join object_milestones a on a.object_key = m.object_key
    join near_rows o on o.object_key = m.object_key
    join leads l on l.lead_key = m.lead_key
    where m.share > 0
),
reached as (
    select s.lead_key, s.milestone, s.reached_at, c.covers, l.amount as lead_amount, l.quantity as lead_quantity,
        (allotted(s.amount, s.parts, minor_digits(s.currency)) * case when s.currency = l.currency then 1 else f.rate / l.rate end)::decimal(18, 4) as amount,
        allotted(s.quantity, s.parts, 4) as quantity
    from said s
    join leads l on l.lead_key = s.lead_key
    join cat_milestones c on c.milestone = s.milestone
    left join cat_rates f on f.currency = s.currency
),
signed as (
    select *, 1 as sign, milestone as counts_for, null::decimal(18, 4) as lessened from reached
    union all
    -- what undoes a milestone is measured as that milestone is
    select r.* replace (u.covers as covers), -1, u.milestone, null
    from reached r
    join cat_milestones c on c.milestone = r.milestone
    join cat_milestones u on u.milestone = c.undoes
    union all
    select r.* replace (u.covers as covers, null as amount, null as quantity), 0, u.milestone, r.amount
    from reached r
    join cat_milestones c on c.milestone = r.milestone and c.lessens
    join cat_milestones u on u.covers = 'amount' and u.expected = 'always'
),
running as (
    select *,
        case
            when covers = 'amount' and lead_amount > 0 and sum(lessened) over until_now > 0 then greatest(
                coalesce(sum(sign * amount) over until_now, 0) / lead_amount,
                case
                    when lead_amount - sum(lessened) over until_now > lead_amount * 0.005
                        then least(coalesce(sum(sign * amount) over until_now, 0) / (lead_amount - sum(lessened) over until_now), 1)
                    when bool_or(sign < 0) over until_now then 0
                    else 1
                end)
            when covers = 'amount' and lead_amount > 0 then sum(sign * amount) over until_now / lead_amount
            when covers = 'quantity' and lead_quantity > 0 then sum(sign * quantity) over until_now / lead_quantity
        end as measured,
        sum(sign) over until_now as net_count
    from signed
    window until_now as (partition by lead_key, counts_for order by reached_at range unbounded preceding)
),
graded as (
    select *, coalesce(measured, case when net_count > 0 then 1.0 else 0.0 end)::double as part from running
),
summed as (
    select lead_key, counts_for as milestone,
        min(reached_at) filter (sign = 1) as reached_at,
        max(reached_at) filter (sign = 1) as last_at,
        max(reached_at) filter (sign = -1) as undone_at,
        max(reached_at) filter (part < 0.995) as incomplete_at,
        sum(sign * amount) as covered_amount,
        sum(sign * quantity) as covered_quantity,
        arg_max(part, reached_at) as part
    from graded
    group by lead_key, counts_for
),
completed as (
    select g.lead_key, g.counts_for as milestone, min(g.reached_at) as complete_at
    from graded g join summed s on s.lead_key = g.lead_key and s.milestone = g.counts_for
    where g.part >= 0.995 and g.reached_at > coalesce(s.incomplete_at, '-infinity'::timestamptz)
    group by g.lead_key, g.counts_for
)
select s.lead_key, s.milestone, s.reached_at, c.complete_at, s.last_at, s.undone_at, s.covered_amount, s.covered_quantity,
    case
        when s.part > 1.005 then 'over'
        when s.part >= 0.995 then 'complete'
        when s.part > 0 then 'partial'
        else 'none'
    end as coverage
from summed s left join completed c using (lead_key, milestone)
where s.reached_at is not null or c.complete_at is not null
