-- One exemplar per failure signature that has no verdict yet: what trace_model.signatures.classify is asked.
select f.signature, arg_min(f.system, (f.ended_at, f.trace_id, f.span_id)), arg_min(f.operation, (f.ended_at, f.trace_id, f.span_id)),
    arg_min(f.error_code, (f.ended_at, f.trace_id, f.span_id)), arg_min(f.exception, (f.ended_at, f.trace_id, f.span_id)),
    arg_min(f.http_status, (f.ended_at, f.trace_id, f.span_id)), arg_min(f.message, (f.ended_at, f.trace_id, f.span_id)),
    coalesce(any_value(s.product), any_value(f.system))
from failed_runs f
left join cat_systems s on s.name = f.system
where f.signature not in (select signature from signatures)
group by f.signature
order by f.signature
