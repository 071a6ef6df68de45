-- touched_objects (scratch): the objects of before and those of after.
select mention_key as object_key from touched_mentions
union
select object_key from resolutions semi join touched_aliases using (alias_key) where object_key is not null
union
select object_key from resolutions_fresh where object_key is not null
