-- timeline_milestones: one row per lead object and milestone that any object of its timeline reached. Replaced by lead_key.
-- reached_at first evidence, complete_at when coverage became complete, undone_at when it was last taken back.
-- Amounts are in the lead's currency. coverage: none, partial, complete, over; 'once' milestones are complete when reached.
with leads as (
    select m.lead_key, o.amount, coalesce(o.currency, c.reporting_currency) as currency, o.quantity, r.rate
    from timeline_members_fresh m
    join objects o on o.object_key = m.lead_key
    cross join cat_settings c
    left join cat_rates r on r.currency = coalesce(o.currency, c.reporting_currency)
    where m.depth = 0
),
reached as (
    select m.lead_key, a.milestone, a.reached_at, c.covers, c.undoes,
        l.amount as lead_amount, l.quantity as lead_quantity,
        (coalesce(a.amount, o.amount) * m.share * coalesce(f.rate / l.rate, 1))::decimal(18, 4) as amount,
        (coalesce(a.quantity, o.quantity) * case when m.direction = 'up' then 1 else m.share end)::decimal(18, 4) as quantity
    from timeline_members_fresh m
    join object_milestones a on a.object_key = m.object_key
    join objects o on o.object_key = m.object_key
    join cat_milestones c on c.milestone = a.milestone
    join leads l on l.lead_key = m.lead_key
    left join cat_rates f on f.currency = coalesce(a.currency, o.currency, l.currency)
),
signed as (
    select *, 1 as sign, milestone as counts_for from reached
    union all
    select r.* replace (c.covers as covers), -1, r.undoes
    from reached r join cat_milestones c on c.milestone = r.undoes
),
running as (
    select *,
        sum(sign * amount) over w as amount_so_far,
        sum(sign * quantity) over w as quantity_so_far
    from signed
    window w as (partition by lead_key, counts_for order by reached_at, milestone range between unbounded preceding and current row)
),
graded as (
    select *,
        case
            when covers = 'amount' and lead_amount > 0 and amount_so_far is not null then amount_so_far / lead_amount
            when covers = 'quantity' and lead_quantity > 0 and quantity_so_far is not null then quantity_so_far / lead_quantity
            else 1.0
        end as part
    from running
),
summed as (
    select lead_key, counts_for as milestone, any_value(covers) as covers,
        min(reached_at) filter (sign = 1) as reached_at,
        min(reached_at) filter (sign = 1 and part >= 0.995) as complete_at,
        max(reached_at) filter (sign = 1) as last_at,
        max(reached_at) filter (sign = -1) as undone_at,
        sum(sign * amount) as covered_amount,
        sum(sign * quantity) as covered_quantity,
        arg_max(part, (reached_at, part)) as part,
        sum(sign) as net_count
    from graded
    group by lead_key, counts_for
)
select lead_key, milestone, reached_at,
    case when undone_at is null or part >= 0.995 and net_count > 0 then complete_at end as complete_at,
    last_at, undone_at, covered_amount, covered_quantity,
    case
        when net_count <= 0 then 'none'
        when covers = 'once' then 'complete'
        when part > 1.005 then 'over'
        when part >= 0.995 then 'complete'
        when part > 0 then 'partial'
        else 'none'
    end as coverage
from summed
where reached_at is not null
