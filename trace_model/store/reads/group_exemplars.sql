-- group_exemplars: one row per group among $group_ids: how its latest failure was seen, as a rule would look at it. Ordered by id.
-- $group_ids varchar[]; $as_of timestamptz
-- columns: group_id, product (what rules know the system by), error_code, message, http_status
select j.group_id, coalesce(arg_max(s.product, (f.last_failed_at, f.exception_id)), arg_max(f.system, (f.last_failed_at, f.exception_id))) as product,
    arg_max(f.error_code, (f.last_failed_at, f.exception_id)) as error_code, arg_max(f.message, (f.last_failed_at, f.exception_id)) as message,
    arg_max(f.http_status, (f.last_failed_at, f.exception_id)) as http_status
from (select distinct signature, group_id from judgements($as_of) where list_contains($group_ids::varchar[], group_id)) j
join failures f using (signature)
left join cat_systems s on s.name = f.system
where f.opened_at <= $as_of
group by j.group_id
order by j.group_id
