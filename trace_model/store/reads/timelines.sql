-- timelines: one row per timeline at $as_of that matches. Most urgent first: breached, stuck, at risk, on track, then completed and
-- cancelled; within each the earliest due, then the largest amount, then the id.
-- $states varchar[] (null: all); $promise, $region, $product_line, $legal_entity, $milestone, $q varchar or null; $min_amount decimal or null
--   (reporting currency); $with_exception boolean or null; $offset, $limit int; $as_of timestamptz
-- columns: as timeline_states, plus milestone (latest reached), milestone_label, urgency, total_count (all that match), total_amount
-- The page is found by few columns; what else is shown of its rows is fetched for them alone.
with matching as (
    select t.* exclude (lead_type, customer_id, customer_name, amount, currency, quantity, region, product_line, legal_entity, tier, workflow, started_at,
            last_progress_at, last_milestone, completed_at, cancelled_at),
        case t.state when 'breached' then 0 when 'stuck' then 1 when 'at_risk' then 2 when 'on_track' then 3 when 'completed' then 4 else 5 end as urgency
    from timeline_states($as_of) t
    where ($states is null or list_contains($states, t.state))
      and ($promise is null or list_contains(t.promises, $promise))
      and ($region is null or t.region = $region)
      and ($product_line is null or t.product_line = $product_line)
      and ($legal_entity is null or t.legal_entity = $legal_entity)
      and ($min_amount is null or t.reporting_amount >= $min_amount)
      and ($with_exception is null or (t.open_exception_count > 0) = $with_exception)
      and ($q is null or contains(lower(t.lead_id), lower($q)) or contains(lower(coalesce(t.customer_name, '')), lower($q)))
      and ($milestone is null or t.lead_key in (
          select lead_key from timeline_milestones join cat_milestones using (milestone)
          where reached_at <= $as_of group by lead_key having arg_max(milestone, (reached_at, position)) = $milestone))
),
totals as (
    select count(*) as total_count, sum(reporting_amount) as total_amount from matching
),
page as (
    from matching
    order by urgency, due_at nulls last, reporting_amount desc nulls last, lead_id
    limit $limit offset $offset
),
latest as (
    select m.lead_key, arg_max(m.milestone, (m.reached_at, c.position)) as milestone, arg_max(c.label, (m.reached_at, c.position)) as milestone_label
    from timeline_milestones m join cat_milestones c using (milestone)
    where m.reached_at <= $as_of and m.lead_key in (select lead_key from page)
    group by m.lead_key
)
select t.* exclude (stuck_at), p.* exclude (lead_key, lead_id, reporting_amount), x.total_count, x.total_amount, l.milestone, l.milestone_label
from page p
join timelines t on t.lead_key = p.lead_key
cross join totals x
left join latest l on l.lead_key = p.lead_key
order by p.urgency, p.due_at nulls last, p.reporting_amount desc nulls last, p.lead_id
