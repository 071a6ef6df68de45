-- failed_runs (scratch, rebuild): all failed operation_runs, as in 25c_failed_runs.
select distinct coalesce(r.object_key, u.mention_key) as object_key, u.* exclude (mention_key)
from operation_runs u
left join resolutions r on r.alias_key = u.mention_key
where u.is_error
