-- completeness: one row per day (UTC, of the order's start), legal entity and currency of the $days days before $as_of: how many orders, worth how
-- much, reached each milestone of the declared path by $as_of.
-- $days int; $as_of timestamptz
-- columns: day, legal_entity, currency, order_count, order_amount, milestones (struct list: milestone, count, amount in the order's currency)
with orders as (
    select lead_key, started_at::date as day, coalesce(legal_entity, 'not given') as legal_entity, coalesce(currency, 'not given') as currency, amount
    from timelines
    where started_at <= $as_of and started_at > $as_of - to_days($days) and coalesce(cancelled_at > $as_of, true)
),
reached as (
    select o.day, o.legal_entity, o.currency, m.milestone, count(*) as reached_count, coalesce(sum(m.covered_amount), 0)::decimal(18, 2) as reached_amount
    from orders o join timeline_milestones m using (lead_key)
    where m.reached_at <= $as_of
    group by all
),
whole as (
    select day, legal_entity, currency, count(*) as order_count, coalesce(sum(amount), 0)::decimal(18, 2) as order_amount from orders group by all
)
select w.day, w.legal_entity, w.currency, w.order_count, w.order_amount,
    list({'milestone': c.milestone, 'count': coalesce(r.reached_count, 0), 'amount': coalesce(r.reached_amount, 0)} order by c.position) as milestones
from whole w
cross join cat_milestones c
left join reached r on r.day = w.day and r.legal_entity = w.legal_entity and r.currency = w.currency and r.milestone = c.milestone
where c.expected = 'always'
group by w.day, w.legal_entity, w.currency, w.order_count, w.order_amount
order by w.day desc, w.legal_entity, w.currency
