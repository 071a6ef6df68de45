-- One exemplar per failure signature that has no verdict yet: what trace_model.signatures.classify is asked.
select f.signature, arg_min(f.system, f.exception_id), arg_min(f.operation, f.exception_id), arg_min(f.error_code, f.exception_id),
    arg_min(f.exception, f.exception_id), arg_min(f.http_status, f.exception_id), arg_min(f.message, (f.opened_at, f.exception_id)),
    coalesce(any_value(s.product), any_value(f.system))
from failures_fresh f
left join cat_systems s on s.name = f.system
where f.signature not in (select signature from signatures)
group by f.signature
order by f.signature
