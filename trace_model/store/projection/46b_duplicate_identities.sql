-- duplicate_identities (scratch): one row per object (a customer) that has an identity which an earlier one has too: the same tax registration, name and
-- address, or account. Columns as check_failures. Of several such findings on one object: one that still holds, by the catalogue's order of identities.
-- opened_at: when the later one was first said to have it; resolved_at: when either was said to have another.
with pairs as (
    select b.object_key, b.object_type, a.object_key as twin_key, i.label, i.position, b.from_at as opened_at, least(a.until_at, b.until_at) as resolved_at
    from identity_holders b
    join identity_holders a on a.object_type = b.object_type and a.identity = b.identity and a.value = b.value and a.object_key <> b.object_key
        and (a.from_at, a.object_key) < (b.from_at, b.object_key) and coalesce(a.until_at > b.from_at, true)
    join cat_identities i on i.object_type = b.object_type and i.identity = b.identity
    qualify row_number() over (
        partition by b.object_key order by least(a.until_at, b.until_at) desc nulls first, i.position, b.from_at, a.from_at, a.object_key) = 1
)
select
    left(md5(concat_ws(chr(31), 'check.duplicate_' || p.object_type, p.object_key::varchar)), 16) as exception_id, 1::integer as episode,
    'check.duplicate_' || p.object_type as operation, p.object_key, p.object_type, o.object_id, o.system, p.opened_at, p.opened_at as last_failed_at,
    p.resolved_at, p.opened_at as first_failed_at, 1::bigint as attempt_count, 0::bigint as retry_count,
    concat(o.object_id, ' repeats ', t.object_id, ': both have the same ', p.label) as message,
    check_signature('check.duplicate_' || p.object_type, o.system) as signature, check_sentence(message) as sentence,
    null::timestamptz as next_opened_at, p.opened_at as first_opened_at
from pairs p
join objects o on o.object_key = p.object_key
join objects t on t.object_key = p.twin_key
