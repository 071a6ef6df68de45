-- duplicate_leads (scratch): one row per lead object that repeats another of the same parent (an order of a quote): same amount, currency and
-- quantity, neither replaces nor amends the other, and together more than the parent; where the parent has no amount, within a day.
-- Columns as check_failures. Several orders may well come of one quote: halves of it are none of this.
with siblings as (
    select k.parent_key, q.object_id as parent_id, q.amount as parent_amount, o.object_key, o.object_type, o.object_id, o.system, o.first_seen_at,
        o.amount, o.currency, o.quantity, t.cancelled_at
    from touched_parents p
    join links k on k.parent_key = p.parent_key and k.kind = 'part_of'
    join objects q on q.object_key = p.parent_key
    join objects o on o.object_key = k.child_key
    join timelines t on t.lead_key = k.child_key
    where o.object_type in (select object_type from cat_lead_types where preference = 0) and o.amount > 0
),
versions as (
    select child_key, parent_key from links
    where kind in ('amends', 'replaces') and child_key in (select object_key from siblings)
),
pairs as (
    select b.*, a.object_id as twin_id, least(a.cancelled_at, b.cancelled_at) as resolved_at,
        (select sum(s.amount) from siblings s
         where s.parent_key = b.parent_key and s.currency is not distinct from b.currency and coalesce(s.cancelled_at > b.first_seen_at, true)
           and (s.first_seen_at, s.object_key) <= (b.first_seen_at, b.object_key)) as whole
    from siblings b
    join siblings a on a.parent_key = b.parent_key and a.amount = b.amount and a.currency is not distinct from b.currency
        and a.quantity is not distinct from b.quantity and (a.first_seen_at, a.object_key) < (b.first_seen_at, b.object_key)
    where coalesce(a.cancelled_at > b.first_seen_at, true)
      and b.first_seen_at < case when b.parent_amount is null then a.first_seen_at + interval 1 day else 'infinity'::timestamptz end
      and not exists (
          from versions v
          where (v.child_key = b.object_key and v.parent_key = a.object_key) or (v.child_key = a.object_key and v.parent_key = b.object_key)
      )
    qualify row_number() over (partition by b.parent_key, b.object_key order by a.first_seen_at, a.object_key) = 1
)
select
    left(md5(concat_ws(chr(31), 'check.duplicate_' || object_type, parent_key::varchar, object_key::varchar)), 16) as exception_id, 1::integer as episode,
    'check.duplicate_' || object_type as operation, object_key, object_type, object_id, system, first_seen_at as opened_at, first_seen_at as last_failed_at,
    resolved_at, first_seen_at as first_failed_at, 1::bigint as attempt_count, 0::bigint as retry_count,
    concat(object_id, ' repeats ', twin_id, ': both come of ', parent_id, ' for ', format('{:,.2f}', amount::double), coalesce(' ' || currency, '')) as message,
    check_signature('check.duplicate_' || object_type, system) as signature, check_sentence(message) as sentence,
    null::timestamptz as next_opened_at, first_seen_at as first_opened_at
from pairs
cross join cat_settings k
where parent_amount is null or whole > parent_amount * (1 + k.over_tolerance)
