-- near_links (scratch): every link that makes something part of another with an end among the near objects.
with found as materialized (
    -- where they stand first, each end by itself (as in 21a_objects_before)
    select rowid as place from links where child_key in (select object_key from near_objects)
    union
    select rowid from links where parent_key in (select object_key from near_objects)
)
from links where kind = 'part_of' and rowid in (select place from found where is_stored(place))
union all
from links where kind = 'part_of' and not is_stored(rowid) and rowid in (select place from found)
