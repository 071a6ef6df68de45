-- payload_comparisons: one row per timeline and payload that was sent after one of the hop before it. Replaced by lead_key.
-- Each successful payload is compared with the latest of the nearest hop before it that went before: of an order by version, since an amended
-- order is another than was quoted; of a document (an invoice) with whatever held then.
-- fields: field, from_value, to_value, state: same, different, corrected (it differs from the hop before it, and says what the first hop of the
-- chain said), unknown (one side does not say). A number of a part (an invoice of an order, an order of several of one quote) may be less; of a
-- document that several timelines share, numbers are not compared. is_different: a field is different; what is corrected introduces nothing.
with recursive mentions as (
    select m.lead_key, m.object_key, m.object_key as mention_key, m.parts is not null as is_shared
    from timeline_members_fresh m
    union
    select m.lead_key, m.object_key, r.alias_key, m.parts is not null
    from timeline_members_fresh m
    join resolutions r on r.object_key = m.object_key
),
sent as materialized (
    select m.lead_key, m.object_key, m.is_shared, f.* exclude (mention_key, seq, is_error), h.position, h.parts, l.object_type is not null as is_lead
    from payload_facts f
    join mentions m on m.mention_key = f.mention_key
    join cat_payload_hops h on h.hop = f.hop
    left join cat_lead_types l on l.object_type = f.object_type and l.preference = 0
    where not f.is_error and f.seq >= (select min(first_seq) from near_rows)
),
siblings as (
    select parent_key, child_type, count(*) as child_count from near_links group by parent_key, child_type
),
pairs as (
    select b.lead_key, b.object_key, b.hop, b.system, b.object_version, b.sent_at, b.trace_id, b.span_id, b.is_shared, b.field_values as to_values,
        a.hop as from_hop, a.object_key as from_object_key, a.sent_at as from_at, a.trace_id as from_trace_id, a.span_id as from_span_id,
        a.field_values as from_values, b.parts or coalesce(s.child_count > 1, false) as is_part
    from sent b
    join sent a on a.lead_key = b.lead_key and a.position < b.position and a.sent_at <= b.sent_at
        and (not b.is_lead or a.object_version = b.object_version)
    left join siblings s on s.parent_key = a.object_key and s.child_type = b.object_type
    qualify row_number() over (
        partition by b.lead_key, b.trace_id, b.span_id, b.object_key order by a.position desc, a.sent_at desc, a.trace_id, a.span_id, a.object_key
    ) = 1
),
judged as materialized (
    select p.* exclude (from_values, to_values, is_part, is_shared), f.position, f.field, f.compare, f.tolerance,
        from_values[f.position] as from_value, to_values[f.position] as to_value,
        try_cast(from_value as decimal(17, 4)) as from_number, try_cast(to_value as decimal(17, 4)) as to_number,
        case
            when from_value is null or to_value is null then 'unknown'
            when f.compare = 'number' and p.is_shared then 'unknown'
            when f.compare = 'text' then case when lower(from_value) = lower(to_value) then 'same' else 'different' end
            when from_number is null or to_number is null then 'unknown'
            when to_number - from_number > f.tolerance then 'different'
            when not p.is_part and from_number - to_number > f.tolerance then 'different'
            else 'same'
        end as state
    from pairs p cross join cat_payload_fields f
),
astray as materialized (
    from judged semi join (select distinct lead_key from judged where state = 'different') using (lead_key)
),
walk as (
    -- back along the chain from a difference, a hop a step
    select lead_key, trace_id, span_id, object_key, position, 1 as step, from_value as value, from_trace_id, from_span_id, from_object_key
    from astray
    where state = 'different'
    union all
    select w.lead_key, w.trace_id, w.span_id, w.object_key, w.position, w.step + 1, coalesce(a.from_value, w.value), a.from_trace_id, a.from_span_id, a.from_object_key
    from walk w
    join astray a on a.lead_key = w.lead_key and a.trace_id = w.from_trace_id and a.span_id = w.from_span_id and a.object_key = w.from_object_key and a.position = w.position
),
origins as (
    select lead_key, trace_id, span_id, object_key, position, max_by(value, step) as value
    from walk
    group by lead_key, trace_id, span_id, object_key, position
),
compared as (
    select j.* replace (case
        when j.state = 'different' and (
            lower(o.value) = lower(j.to_value) or j.compare = 'number' and abs(try_cast(o.value as decimal(17, 4)) - j.to_number) <= j.tolerance
        ) then 'corrected' else j.state end as state)
    from judged j
    left join origins o on o.lead_key = j.lead_key and o.trace_id = j.trace_id and o.span_id = j.span_id and o.object_key = j.object_key and o.position = j.position
)
select lead_key, object_key, hop, system, object_version, sent_at, trace_id, span_id, from_hop, from_object_key, from_at, from_trace_id, from_span_id,
    list({'field': field, 'from_value': from_value, 'to_value': to_value, 'state': state} order by position) as fields,
    bool_or(state = 'different') as is_different
from compared
group by lead_key, object_key, hop, system, object_version, sent_at, trace_id, span_id, from_hop, from_object_key, from_at, from_trace_id, from_span_id
