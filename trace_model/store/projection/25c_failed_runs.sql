-- failed_runs (scratch): the failed operation_runs of every touched object, each under its object's key.
-- A span may speak of one object under several ids: it is one run.
with found as materialized (
    -- where they stand first (as in 21a_objects_before), by the records of those that failed; mostly there is none
    select rowid as place from operation_runs
    where seq in (select seq from resolved_facts where is_error and run_name is not null)
),
runs as (
    from operation_runs where rowid in (select place from found where is_stored(place))
    union all
    from operation_runs where not is_stored(rowid) and rowid in (select place from found)
)
select distinct coalesce(r.object_key, u.mention_key) as object_key, u.* exclude (mention_key)
from runs u
left join touched_resolutions r on r.alias_key = u.mention_key
where u.is_error and u.mention_key in (select mention_key from touched_mentions)
