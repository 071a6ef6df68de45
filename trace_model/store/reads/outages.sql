-- outages: one row per outage found by $as_of that lasted into the $days days before it, with its blast radius. Ongoing first, then the latest.
-- $system varchar or null; $outage_id varchar or null; $days int; $offset, $limit int; $as_of timestamptz
-- columns: outage_id, system, label, owner_team, kind ('downtime'|'throttling'), state ('ongoing'|'silent'|'recovering'|'ended'), started_at, first_failed_at,
--   found_at, last_failed_at, ended_at, duration_s, failed_run_count, failed_runs_until_found, failed_call_count, exception_count, open_count (of them, open at $as_of), order_count, customer_count, blocked_amount
--   (reporting currency, each order once; also those that the engine's own retries healed), operations, total_count
with shown as (
    select * from outages_now($as_of)
    where ($system is null or system = $system) and ($outage_id is null or outage_id = $outage_id)
      and coalesce(ended_at, last_failed_at) > $as_of - to_days($days)
),
runs as (
    select o.outage_id, r.operation, coalesce(a.object_key, r.mention_key) as object_key, r.trace_id, r.span_id, r.retry_count + 1 as call_count,
        r.ended_at <= o.found_at as is_before_found
    from (
        select r.*, outage_kind(availability(s.class, s.category, s.confidence)) as kind
        from operation_runs r join signatures s using (signature)
        where r.is_error and r.ended_at <= $as_of and r.ended_at >= (select min(first_failed_at) from shown)
    ) r
    asof join shown o on o.system = r.system and o.kind = r.kind and o.first_failed_at <= r.ended_at
    left join resolutions a on a.alias_key = r.mention_key
    where r.ended_at <= o.last_failed_at
),
counted as (
    select outage_id, count(distinct (trace_id, span_id)) as failed_run_count,
        count(distinct (trace_id, span_id)) filter (is_before_found) as failed_runs_until_found, list(distinct operation order by operation) as operations
    from runs group by outage_id
),
called as (
    select outage_id, sum(call_count)::bigint as failed_call_count from (select distinct outage_id, trace_id, span_id, call_count from runs) group by outage_id
),
members as (
    select distinct r.outage_id, f.exception_id, f.state
    from runs r join known_failures($as_of) f on f.object_key = r.object_key and f.operation = r.operation
),
hit as (
    select outage_id, count(distinct exception_id) as exception_count, count(distinct exception_id) filter (state = 'open') as open_count from members group by outage_id
),
leads as (
    select distinct m.outage_id, t.lead_key, t.reporting_amount, t.customer_id
    from (select distinct outage_id, object_key from runs) m join timeline_members p on p.object_key = m.object_key and p.direction <> 'up' join timelines t on t.lead_key = p.lead_key
),
worth as (
    select outage_id, count(*) as order_count, count(distinct customer_id) as customer_count, sum(reporting_amount)::decimal(18, 2) as blocked_amount
    from leads group by outage_id
)
select o.outage_id, o.system, s.label, s.owner_team, o.kind, o.state, o.started_at, o.first_failed_at, o.found_at, least(o.last_failed_at, $as_of::timestamptz) as last_failed_at,
    o.ended_at_then as ended_at, epoch(coalesce(o.ended_at_then, $as_of::timestamptz)) - epoch(o.started_at) as duration_s,
    coalesce(c.failed_run_count, 0) as failed_run_count, coalesce(c.failed_runs_until_found, 0) as failed_runs_until_found, coalesce(d.failed_call_count, 0) as failed_call_count, coalesce(h.exception_count, 0) as exception_count,
    coalesce(h.open_count, 0) as open_count, coalesce(w.order_count, 0) as order_count, coalesce(w.customer_count, 0) as customer_count,
    coalesce(w.blocked_amount, 0)::decimal(18, 2) as blocked_amount, coalesce(c.operations, []) as operations, count(*) over () as total_count
from shown o
left join cat_systems s on s.name = o.system
left join counted c using (outage_id)
left join called d using (outage_id)
left join hit h using (outage_id)
left join worth w using (outage_id)
order by case o.state when 'ongoing' then 0 when 'silent' then 1 when 'recovering' then 2 else 3 end, o.started_at desc, o.outage_id
limit $limit offset $offset
