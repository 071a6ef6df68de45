-- completeness_objects: one row per order and step at which what should be there and what is differ, with the reason: a difference object by object.
-- Largest difference (reporting currency) first, then the id, then the path.
-- $from_day, $until_day date (of the order's start, UTC); $legal_entity, $currency, $milestone, $explanation varchar or null; $offset, $limit int; $as_of timestamptz
-- columns: lead_type, lead_id, lead_scope, customer_name, day, legal_entity, currency, order_amount, milestone, label, due_amount, amount, difference (order's currency),
--   reporting_difference, explanation, due_at (of the promise that waits), exception_id, group_id, sentence, owner_team, system, total_count, total_difference (reporting)
with orders as (
    select s.lead.lead_key as lead_key, s.day, s.legal_entity, s.currency, s.milestone, s.position, s.explanation, s.lead.whole as order_amount,
        case s.due_part when 'none' then 0 when 'own' then s.due_amount when 'part' then s.lead.part_amount else s.lead.whole end::decimal(18, 2) as due_amount,
        case s.amount_part when 'none' then 0 when 'own' then s.amount when 'part' then s.lead.part_amount else s.lead.whole end::decimal(18, 2) as amount, s.rate
    from (
        select *, unnest(members) as lead
        from flow_steps($as_of, $from_day, $until_day) s
        where s.explanation is not null
          and ($legal_entity is null or s.legal_entity = $legal_entity)
          and ($currency is null or s.currency = $currency)
          and ($milestone is null or s.milestone = $milestone)
          and ($explanation is null or s.explanation = $explanation)
    ) s
),
differing as (
    select * exclude (rate), due_amount - amount as difference, ((due_amount - amount) * rate)::decimal(18, 2) as reporting_difference from orders
),
totals as (select count(*) as total_count, sum(reporting_difference)::decimal(18, 2) as total_difference from differing),
page as (
    select d.*, t.lead_type, t.lead_id, t.lead_scope, t.customer_name
    from differing d join timelines t using (lead_key)
    order by abs(d.reporting_difference) desc nulls last, t.lead_id, d.position
    limit $limit offset $offset
),
failing as (
    select m.lead_key, arg_max(f.exception_id, f.last_failed_at) as exception_id, arg_max(f.group_id, f.last_failed_at) as group_id,
        arg_max(f.sentence, f.last_failed_at) as sentence
    from open_failures($as_of) f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    where m.lead_key in (select lead_key from page where explanation = 'exception')
    group by m.lead_key
),
awaited as (
    select lead_key, stop as milestone, min(due_at) as due_at
    from open_clocks($as_of)
    where lead_key in (select lead_key from page)
    group by lead_key, stop
)
select p.lead_type, p.lead_id, p.lead_scope, p.customer_name, p.day, p.legal_entity, p.currency, p.order_amount, p.milestone, c.label, p.due_amount, p.amount, p.difference,
    p.reporting_difference, p.explanation, w.due_at, f.exception_id, f.group_id, f.sentence, c.owner_team, c.system, t.total_count, t.total_difference
from page p
cross join totals t
join cat_milestones c on c.milestone = p.milestone
left join failing f on f.lead_key = p.lead_key and p.explanation = 'exception'
left join awaited w on w.lead_key = p.lead_key and w.milestone = p.milestone
order by abs(p.reporting_difference) desc nulls last, p.lead_id, p.position
