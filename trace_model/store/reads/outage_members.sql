-- outage_members: one row per operation and object that failed in one outage. Open exceptions first, then resolved ones, then those that the engine's own
-- retries healed before they became exceptions (state 'healed', no exception_id); most money, then oldest.
-- $outage_id varchar; $offset, $limit int; $as_of timestamptz
-- columns: exception_id, group_id, class, category, state, operation, operation_label, object_type, object_id, lead_type, lead_id, lead_scope, order_ids, customer_name,
--   blocked_amount (reporting currency), first_failed_at and failed_run_count (in this outage), opened_at, resolved_at, sentence, total_count
with hit as (
    select r.operation, coalesce(a.object_key, r.mention_key) as object_key, min(r.ended_at) as first_failed_at, count(*) as failed_run_count
    from outages o
    join operation_runs r on r.system = o.system and r.ended_at between o.first_failed_at and o.last_failed_at
    join signatures s on s.signature = r.signature and outage_kind(availability(s.class, s.category, s.confidence)) = o.kind
    left join resolutions a on a.alias_key = r.mention_key
    where o.outage_id = $outage_id and o.found_at <= $as_of and r.ended_at <= $as_of
    group by r.operation, coalesce(a.object_key, r.mention_key)
),
held_up as (
    select m.object_key, list(distinct t.lead_id order by t.lead_id) as order_ids, min(t.customer_name) as customer_name,
        sum(t.reporting_amount)::decimal(18, 2) as amount
    from timeline_members m join timelines t on t.lead_key = m.lead_key
    where m.direction <> 'up' and t.lead_type = 'order' and m.object_key in (select object_key from hit)
    group by m.object_key
)
select f.exception_id, f.group_id, f.class, f.category, coalesce(f.state, 'healed') as state, h.operation, p.label as operation_label, b.object_type, b.object_id,
    k.lead_type, k.lead_id, k.lead_scope, coalesce(u.order_ids, []) as order_ids, coalesce(k.customer_name, u.customer_name) as customer_name,
    coalesce(k.blocked_amount, u.amount) as blocked_amount, h.first_failed_at, h.failed_run_count, f.opened_at, f.resolved_at_then as resolved_at, f.sentence,
    count(*) over () as total_count
from hit h
join objects b on b.object_key = h.object_key
left join object_stakes k on k.object_key = h.object_key
left join known_failures($as_of) f on f.object_key = h.object_key and f.operation = h.operation
left join held_up u on u.object_key = h.object_key
left join cat_operations p on p.operation = h.operation
order by case coalesce(f.state, 'healed') when 'open' then 0 when 'resolved' then 1 else 2 end, coalesce(k.blocked_amount, u.amount) desc nulls last,
    h.first_failed_at, b.object_type, b.object_id, h.operation
limit $limit offset $offset
