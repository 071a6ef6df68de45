-- completeness_objects: one row per order and step at which what should be there and what is differ, with the reason: a difference object by object.
-- Largest difference (reporting currency) first, then the id, then the path.
-- $from_day, $until_day date (of the order's start, UTC); $legal_entity, $currency, $milestone, $explanation varchar or null; $offset, $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, customer_name, day, legal_entity, currency, order_amount, milestone, label, due_amount, amount, difference (order's currency),
--   reporting_difference, explanation, due_at (of the promise that waits), exception_id, group_id, sentence, owner_team, system, total_count, total_difference (reporting)
select s.lead_type, s.lead_id, s.customer_name, s.day, s.legal_entity, s.currency, s.order_amount, s.milestone, s.label, s.due_amount, s.amount,
    s.difference, (s.difference * r.rate)::decimal(18, 2) as reporting_difference, s.explanation, s.due_at,
    case when s.explanation = 'exception' then s.exception_id end as exception_id, case when s.explanation = 'exception' then s.group_id end as group_id,
    case when s.explanation = 'exception' then s.sentence end as sentence, s.owner_team, s.system, count(*) over () as total_count,
    sum(s.difference * r.rate) over ()::decimal(18, 2) as total_difference
from flow_steps($as_of, $from_day, $until_day) s left join cat_rates r on r.currency = s.currency
where s.explanation is not null
  and ($legal_entity is null or s.legal_entity = $legal_entity)
  and ($currency is null or s.currency = $currency)
  and ($milestone is null or s.milestone = $milestone)
  and ($explanation is null or s.explanation = $explanation)
order by abs(reporting_difference) desc nulls last, s.lead_id, s.position
limit $limit offset $offset
