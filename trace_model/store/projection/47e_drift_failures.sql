-- drift_failures (scratch): one row per drift of a stirred interface, on the interface. Columns as check_failures, and the first payload that showed it.
select
    left(md5(concat_ws(chr(31), 'check.schema_drift', d.system, d.operation, d.release, d.path, d.type)), 16) as exception_id, 1::integer as episode,
    'check.schema_drift' as operation, interface_key(d.system, d.operation) as object_key, 'interface' as object_type,
    d.system || ' ' || d.operation as object_id, d.system, d.opened_at, d.opened_at as last_failed_at, d.resolved_at, d.first_sent_at as first_failed_at,
    1::bigint as attempt_count, 0::bigint as retry_count,
    concat(coalesce(s.label, d.system), ' ', d.release, ', ', coalesce(o.label, d.operation), ': ', d.path,
        case when d.now_type is null then ' is gone' else concat(' is a ', d.now_type, ', no longer a ', d.type) end, '; every payload of ', d.release_before, ' had it') as message,
    d.trace_id, d.span_id, check_signature('check.schema_drift', d.system) as signature, check_sentence(message) as sentence,
    null::timestamptz as next_opened_at, d.opened_at as first_opened_at
from schema_drifts_fresh d
left join cat_systems s on s.name = d.system
left join cat_operations o on o.operation = d.operation
