-- Both ends of a link that went, came or changed gain or lose a place in a timeline: they count as touched, too.
insert into touched_objects
with before as (
    select child_key, parent_key, kind, share_from, share_until, is_allocating from links semi join touched_children using (child_key)
),
after as (
    select child_key, parent_key, kind, share_from, share_until, is_allocating from links_fresh
)
select distinct unnest([child_key, parent_key])
from ((from before except from after) union all (from after except from before))
