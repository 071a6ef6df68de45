-- process_orders: one row per order that took a step, or that deviates in a way, the slowest or else the largest first.
-- $from, $to varchar: the step ($to null: those who stand at $from); or $deviation, $milestone, $other varchar, $from null
-- $days int; $region, $product_line, $legal_entity varchar or null; $limit, $offset int; $as_of timestamptz
-- columns: lead_type, lead_id, lead_scope, customer, amount, currency, reporting_amount, from_at, to_at, took_s, total_count, total_amount
with stepped as (
    select p.lead_key, step_at(p.step) as from_at, step_at(p.next_step) as to_at,
        epoch(coalesce(step_at(p.next_step), $as_of)) - epoch(step_at(p.step)) as took_s
    from order_paths($as_of, $days, $region, $product_line, $legal_entity) p
    join cat_milestones a on a.position = step_position(p.step) and a.milestone = $from
    left join cat_milestones b on b.position = step_position(p.next_step)
    where b.milestone is not distinct from $to
    union all
    select d.lead_key, m.reached_at, o.reached_at, epoch(o.reached_at) - epoch(m.reached_at)
    from order_deviations($as_of, $days, $region, $product_line, $legal_entity) d
    left join timeline_milestones m on m.lead_key = d.lead_key and m.milestone = d.milestone
    left join timeline_milestones o on o.lead_key = d.lead_key and o.milestone = d.other
    where $from is null and d.kind = $deviation and d.milestone = $milestone and ($other is null or d.other = $other)
)
select t.lead_type, t.lead_id, t.lead_scope, coalesce(t.customer_name, t.customer_id) as customer, t.amount, t.currency, t.reporting_amount,
    s.from_at, s.to_at, s.took_s, count(*) over () as total_count, sum(t.reporting_amount) over () as total_amount
from stepped s
join timelines t using (lead_key)
order by s.took_s desc nulls last, t.reporting_amount desc nulls last, t.lead_key
limit $limit offset $offset
