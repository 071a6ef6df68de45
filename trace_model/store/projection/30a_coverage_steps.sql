-- coverage_steps (scratch): one row per timeline and change of how much of it a milestone covers, in the lead's currency.
-- sign: 1 reached, -1 taken back by the milestone that undoes it, 0 lessened (a credit note). part: what is covered from then on, of the
-- amount or quantity where they are known (is_measured), else whether it is reached. amount_until: the amounts until then. is_converted:
-- the amount was said in another currency than the lead's.
-- A milestone that lessens lowers what is left to cover: an order that is credited by 15 % is paid with 85 %.
with leads as (
    select m.lead_key, o.amount, coalesce(o.currency, c.reporting_currency) as currency, o.quantity, r.rate
    from timeline_members_fresh m
    join near_rows o on o.object_key = m.lead_key
    cross join cat_settings c
    left join cat_rates r on r.currency = coalesce(o.currency, c.reporting_currency)
    where m.depth = 0
),
said as (
    select m.lead_key, m.object_key, a.milestone, a.reached_at, m.parts, m.direction,
        coalesce(a.amount, o.amount) as amount, coalesce(a.quantity, o.quantity) as quantity,
        coalesce(a.currency, o.currency, l.currency) as currency
    from timeline_members_fresh m
    join near_milestones a on a.object_key = m.object_key
    join near_rows o on o.object_key = m.object_key
    join leads l on l.lead_key = m.lead_key
    where m.share > 0
),
reached as (
    select s.lead_key, s.object_key, s.milestone, s.reached_at, c.covers, l.amount as lead_amount, l.quantity as lead_quantity,
        s.currency <> l.currency as is_converted,
        try_cast(allotted(s.amount, s.parts, minor_digits(s.currency)) * case when s.currency = l.currency then 1 else f.rate / l.rate end as decimal(18, 4)) as amount,
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
        covered_part(covers, lead_amount, lead_quantity, sum(sign * amount) over until_now, sum(sign * quantity) over until_now,
            sum(lessened) over until_now, bool_or(sign < 0) over until_now) as measured,
        sum(sign) over until_now as net_count,
        sum(sign * amount) over until_now as amount_until
    from signed
    window until_now as (partition by lead_key, counts_for order by reached_at range unbounded preceding)
)
select lead_key, object_key, counts_for as milestone, reached_at, sign, amount, quantity, amount_until, lead_amount, is_converted,
    measured is not null as is_measured, coalesce(measured, case when net_count > 0 then 1.0 else 0.0 end)::double as part
from running
