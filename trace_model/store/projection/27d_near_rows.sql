-- near_rows (scratch): the near objects as they are now.
with found as materialized (
    -- where they stand first (as in 21a_objects_before)
    select rowid as place from objects where object_key in (select object_key from near_objects)
)
from objects where rowid in (select place from found where is_stored(place))
union all
from objects where not is_stored(rowid) and rowid in (select place from found)
