-- check_failures (scratch): one row per episode of a fault that no system reported: the facts of a timeline contradict each other. Each becomes
-- a row of failures, on the lead object, replaced by lead_key. message says what was found.
-- operation: check.over_<milestone> (more than there is to cover), check.duplicate_<object type> (and it repeats another of the same amount),
--   check.mismatch_<hop> (a payload does not say what the one of the hop before it said), check.booked_twice (one object under two numbers of one system).
-- Amounts that had to be converted, and orders that recur (a subscription), are not over for being more than the order.
with steps as (
    from coverage_steps semi join doubtful_leads using (lead_key)
),
leads as (
    from timelines_fresh semi join doubtful_leads using (lead_key)
),
recurring as (
    select distinct m.lead_key
    from timeline_members_fresh m semi join doubtful_leads d on d.lead_key = m.lead_key cross join cat_settings k
    where list_contains(k.recurring, m.object_type)
),
billed as (
    select s.lead_key, sum(s.sign * s.amount) as amount
    from steps s cross join cat_settings k
    where s.milestone = k.billed_by
    group by s.lead_key
),
converted as (
    select distinct lead_key, milestone from steps where is_converted
),
measured as (
    -- a lead that recurs is paid too much when it is paid more than it was ever billed, but is never billed too much
    select distinct s.lead_key, s.milestone, s.reached_at, c.covers, c.object_type, c.label, c.system,
        case
            when r.lead_key is null then s.part
            when s.milestone <> k.billed_by and c.covers = 'amount' and b.amount > 0 then (s.amount_until / b.amount)::double
            else 0
        end as part
    from steps s
    cross join cat_settings k
    join cat_milestones c on c.milestone = s.milestone
    left join recurring r on r.lead_key = s.lead_key
    left join billed b on b.lead_key = s.lead_key
    where s.is_measured and list_contains(k.not_over, s.milestone) and (s.lead_key, s.milestone) not in (select (lead_key, milestone) from converted)
),
turns as (
    select m.*, m.part > 1 + k.over_tolerance as is_over,
        coalesce(lag(m.part) over by_time, 0) > 1 + k.over_tolerance as was_over,
        min(case when m.part <= 1 + k.over_tolerance then m.reached_at end)
            over (partition by lead_key, milestone order by reached_at rows between 1 following and unbounded following) as ends_at
    from measured m cross join cat_settings k
    window by_time as (partition by lead_key, milestone order by reached_at)
),
overs as (
    select lead_key, milestone, covers, object_type, label, system, reached_at as opened_at, ends_at as resolved_at from turns where is_over and not was_over
),
documents as (
    -- what reached the milestone, in its order, and the earlier document of the very same amount
    select s.lead_key, s.milestone, s.reached_at, o.object_id, s.amount, s.amount_until, s.quantity, s.lead_amount,
        -- what repeats a lead object is told by duplicate_leads
        case when o.object_type not in (select object_type from cat_lead_types) then lag(o.object_id) over alike end as twin_id, lag(s.reached_at) over alike as twin_at,
        sum(s.quantity) over (partition by s.lead_key, s.milestone order by s.reached_at, s.object_key rows unbounded preceding) as quantity_until
    from steps s
    join near_rows o on o.object_key = s.object_key
    where s.sign = 1 and s.lead_key in (select lead_key from overs union all select lead_key from recurring)
    window alike as (partition by s.lead_key, s.milestone, coalesce(s.amount, s.quantity) order by s.reached_at, s.object_key)
),
over_facts as (
    select v.lead_key, v.milestone, v.object_type, v.label, v.system, v.opened_at, v.resolved_at, v.covers,
        max(d.object_id) as object_id, max_by(d.twin_id, d.object_id) as twin_id, max(d.amount_until) as amount, max(d.quantity_until) as quantity
    from overs v
    left join documents d on d.lead_key = v.lead_key and d.milestone = v.milestone and d.reached_at = v.opened_at
    group by v.lead_key, v.milestone, v.object_type, v.label, v.system, v.opened_at, v.resolved_at, v.covers
),
billed_again as (
    -- what recurs is billed twice when the same amount comes again within a day, and both together are more than the whole order
    select d.lead_key, d.milestone, c.object_type, c.label, c.system, d.reached_at as opened_at,
        (select min(u.reached_at) from steps u
         where u.lead_key = d.lead_key and u.milestone = d.milestone and u.sign = -1 and u.amount = d.amount and u.reached_at >= d.reached_at) as resolved_at,
        'amount' as covers, d.object_id, d.twin_id, d.amount * 2 as amount, null as quantity
    from documents d
    cross join cat_settings k
    join cat_milestones c on c.milestone = d.milestone
    semi join recurring r on r.lead_key = d.lead_key
    where d.milestone = k.billed_by and d.twin_at > d.reached_at - interval 1 day and d.amount * 2 > d.lead_amount * (1 + k.over_tolerance)
      and (d.lead_key, d.milestone) not in (select (lead_key, milestone) from converted)
),
numbers as (
    -- a number of an amended version, or a longer form of the same number, is no second booking
    select a.canonical_key as lead_key, coalesce(nullif(a.scope, ''), a.alias_system) as system, coalesce(a.object_version, '1') as version, a.alias_key,
        min(a.alias_id) as alias_id, min(a.seen_at) as seen_at
    from alias_facts a
    semi join leads t on t.lead_key = a.canonical_key
    where a.alias_key in (select alias_key from resolutions where object_key is not null)
    group by a.canonical_key, coalesce(nullif(a.scope, ''), a.alias_system), coalesce(a.object_version, '1'), a.alias_key
),
booked_twice as (
    select lead_key, system, alias_id, seen_at as opened_at, first_value(alias_id) over booking as twin_id
    from numbers
    window booking as (partition by lead_key, system, version order by seen_at, alias_key)
    qualify row_number() over booking = 2 and not starts_with(alias_id, twin_id) and not starts_with(twin_id, alias_id)
),
corrections as (
    select c.lead_key, c.object_key, c.object_version, h.position, c.sent_at, unnest(c.fields).field as field, unnest(c.fields).state as state
    from payload_comparisons_fresh c
    join cat_payload_hops h on h.hop = c.hop
    where list_contains(list_transform(c.fields, lambda x: x.state), 'corrected')
),
differences as (
    select c.lead_key, c.object_key, c.object_version, h.position, c.sent_at, c.trace_id, c.span_id,
        unnest(list_filter(c.fields, lambda x: x.state = 'different')).field as field
    from payload_comparisons_fresh c
    join cat_payload_hops h on h.hop = c.hop
    where c.is_different
),
put_right as (
    -- a later hop says again what was said before the mismatch, of every field that differs; an order's within its version
    select lead_key, object_key, trace_id, span_id, max(corrected_at) as put_right_at
    from (
        select d.lead_key, d.object_key, d.trace_id, d.span_id, d.field, min(k.sent_at) as corrected_at
        from differences d
        left join corrections k on k.lead_key = d.lead_key and k.field = d.field and k.state = 'corrected' and k.position > d.position
            and k.sent_at >= d.sent_at and (k.object_key <> d.object_key or k.object_version = d.object_version)
        group by d.lead_key, d.object_key, d.trace_id, d.span_id, d.field
    )
    group by lead_key, object_key, trace_id, span_id
    having count(*) = count(corrected_at)
),
differing as (
    select c.*, h.label, p.label as from_label,
        lag(c.is_different) over hops as was_different,
        min(case when not c.is_different then c.sent_at end) over (hops rows between 1 following and unbounded following) as ends_at
    from payload_comparisons_fresh c
    join cat_payload_hops h on h.hop = c.hop
    join cat_payload_hops p on p.hop = c.from_hop
    window hops as (partition by c.lead_key, c.object_key, c.hop, c.system, c.object_version order by c.sent_at, c.trace_id, c.span_id)
),
mismatches as (
    select d.lead_key, 'check.mismatch_' || d.hop as operation, concat_ws(' ', d.object_key, d.system, d.object_version) as about, d.system,
        d.sent_at as opened_at, least(d.ends_at, r.put_right_at) as resolved_at,
        concat(o.object_id, ': the ', lower(d.from_label[1]), d.from_label[2:], ' says ',
            array_to_string(list_transform(list_filter(d.fields, lambda x: x.state = 'different'), lambda x: x.field || ' ' || x.from_value), ', '),
            '; the ', d.label, ' says ',
            array_to_string(list_transform(list_filter(d.fields, lambda x: x.state = 'different'), lambda x: x.field || ' ' || x.to_value), ', ')) as message
    from differing d
    join near_rows o on o.object_key = d.object_key
    left join put_right r on r.lead_key = d.lead_key and r.object_key = d.object_key and r.trace_id = d.trace_id and r.span_id = d.span_id
    where d.is_different and not coalesce(d.was_different, false)
),
found as (
    select v.lead_key, case when v.twin_id is null then 'check.over_' || v.milestone else 'check.duplicate_' || v.object_type end as operation,
        v.milestone as about, v.system, v.opened_at, v.resolved_at,
        concat(coalesce(v.object_id || case when v.twin_id is null then ' is too much: ' else ' repeats ' || v.twin_id || ': ' end, ''), lower(v.label),
            ' for ', case when v.covers = 'amount' then format('{:,.2f}', v.amount::double) || ' of ' || format('{:,.2f}', t.amount::double) || coalesce(' ' || t.currency, '')
                else format('{:,.0f}', v.quantity::double) || ' of ' || format('{:,.0f}', t.quantity::double) end) as message
    from (from over_facts union all by name from billed_again) v join leads t on t.lead_key = v.lead_key
    union all
    from mismatches
    union all
    select b.lead_key, 'check.booked_twice', b.system, b.system, b.opened_at, t.cancelled_at,
        concat(t.lead_id, ' stands in ', b.system, ' as ', b.twin_id, ' and as ', b.alias_id)
    from booked_twice b join leads t using (lead_key)
)
select
    left(md5(concat_ws(chr(31), f.operation, f.about, f.lead_key::varchar)), 16) as exception_id,
    row_number() over (partition by f.lead_key, f.operation, f.about order by f.opened_at)::integer as episode,
    f.operation, f.lead_key as object_key, t.lead_type as object_type, t.lead_id as object_id, f.system, f.opened_at, f.opened_at as last_failed_at,
    f.resolved_at, f.opened_at as first_failed_at, 1::bigint as attempt_count, 0::bigint as retry_count, f.message,
    check_signature(f.operation, f.system) as signature, check_sentence(f.message) as sentence,
    lead(f.opened_at) over (partition by f.lead_key, f.operation, f.about order by f.opened_at) as next_opened_at,
    min(f.opened_at) over (partition by f.lead_key, f.operation, f.about) as first_opened_at
from found f join leads t using (lead_key)
where f.resolved_at is null or f.opened_at <= f.resolved_at
