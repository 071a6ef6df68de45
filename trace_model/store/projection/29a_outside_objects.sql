-- outside_objects (scratch): objects that the timelines to derive reach and that were not near; with them near, it is asked again.
select object_key
from (select lead_key as object_key from touched_leads union select object_key from timeline_reach)
where object_key not in (select object_key from near_objects)
