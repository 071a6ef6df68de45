-- kpi_interface_runs: one row per run of an interface in the week before $as_of that failed, was retried or succeeded again: the rows behind its rates. Latest first.
-- $operation, $system varchar or null; $offset, $limit int; $as_of timestamptz
-- columns: operation, system, label, ended_at, is_error, is_repeat, retries, message, object_type, object_id, object_scope, total_count
select r.operation, r.system, coalesce(r.label, r.operation) as label, r.ended_at, r.is_error, r.is_repeat, r.retries, r.message,
    o.object_type, o.object_id, o.scope as object_scope, count(*) over () as total_count
from interface_runs($as_of, 2) r
left join resolutions a on a.alias_key = r.mention_key
left join objects o on o.object_key = coalesce(a.object_key, r.mention_key)
where r.week = 0 and (r.is_error or r.is_repeat or r.retries > 0)
  and ($operation is null or r.operation = $operation)
  and ($system is null or r.system = $system)
order by r.ended_at desc, r.operation, o.object_id
limit $limit offset $offset
