-- unbilled: one row per order accepted and not yet (fully) invoiced at $as_of: ageing of unbilled revenue. Largest amount first.
-- $region, $product_line, $legal_entity varchar or null; $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, lead_scope, customer_name, amount, currency, reporting_amount, unbilled_amount (reporting), accepted_at, age_s, due_at, state, coverage, total_count, total_unbilled
with open as (
    select t.lead_key, t.lead_id, t.reporting_amount, a.reached_at as accepted_at, coalesce(i.coverage, 'none') as coverage,
        greatest(t.reporting_amount - coalesce(i.covered_amount * r.rate, 0), 0)::decimal(18, 2) as unbilled_amount
    from timelines t
    join timeline_milestones a on a.lead_key = t.lead_key and a.milestone = 'order_accepted' and a.reached_at <= $as_of
    left join timeline_milestones i on i.lead_key = t.lead_key and i.milestone = 'invoice_issued' and i.reached_at <= $as_of
    left join cat_rates r on r.currency = t.currency
    where coalesce(t.completed_at > $as_of, true) and coalesce(t.cancelled_at > $as_of, true) and coalesce(i.coverage, 'none') in ('none', 'partial')
      and t.started_at <= $as_of
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
),
page as materialized (
    select lead_key, accepted_at, coverage, unbilled_amount, count(*) over () as total_count, sum(unbilled_amount) over () as total_unbilled
    from open
    order by unbilled_amount desc, lead_id
    limit $limit
),
promised as (
    select c.lead_key, min(c.due_at) as due_at
    from clocks_at($as_of) c join cat_promises p using (promise)
    where p.stop = 'invoice_issued' and c.lead_key in (select lead_key from page)
    group by c.lead_key
)
select t.lead_type, t.lead_id, t.lead_scope, t.customer_name, t.amount, t.currency, t.reporting_amount, p.accepted_at, t.state, t.region, t.legal_entity, t.product_line,
    p.coverage, p.unbilled_amount, d.due_at, epoch($as_of::timestamptz) - epoch(p.accepted_at) as age_s, p.total_count, p.total_unbilled
from timeline_states($as_of, (select list(lead_key) from page)) t
join page p using (lead_key)
left join promised d using (lead_key)
order by p.unbilled_amount desc, t.lead_id
