-- resolved_facts (scratch): the object_facts of every touched object, each under its object's key, ordered by what it is worth.
-- standing: a successful subject span outweighs a failed one, that a mention; then the later; then by the span's ids, so that the
--   order of arrival never decides. $min_object_seq: no fact of a touched object was recorded before it.
-- The ids themselves are in object_names: they are long, and the same in every fact of an object.
with found as materialized (
    -- where they stand first (as in 21a_objects_before)
    select rowid as place from object_facts
    where seq >= $min_object_seq and mention_key in (select mention_key from touched_mentions)
),
facts as (
    select * exclude (object_id) from object_facts where rowid in (select place from found where is_stored(place))
    union all
    select * exclude (object_id) from object_facts where not is_stored(rowid) and rowid in (select place from found)
)
select
    coalesce(r.object_key, f.mention_key) as object_key, r.alias_key is not null and r.object_key is not null as is_renamed, f.*,
    (f.is_subject::hugeint * 2 + (not f.is_error)::hugeint) * 42535295865117307932921825928971026432
        + epoch_us(f.ended_at)::hugeint * 18446744073709551616 + hash(f.trace_id, f.span_id) as standing
from facts f
left join touched_resolutions r on r.alias_key = f.mention_key
