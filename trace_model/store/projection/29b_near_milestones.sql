-- near_milestones (scratch): the milestones of the near objects.
with found as materialized (
    -- where they stand first (as in 21a_objects_before)
    select rowid as place from object_milestones where object_key in (select object_key from near_objects)
)
select object_key, milestone, reached_at, amount, currency, quantity
from (
    from object_milestones where rowid in (select place from found where is_stored(place))
    union all
    from object_milestones where not is_stored(rowid) and rowid in (select place from found)
)
