-- touched_objects (scratch): every object with something new about it, or with a new place: both ends of a changed link.
select mention_key as object_key from touched_mentions
union
select unnest([child_key, parent_key]) from changed_links
