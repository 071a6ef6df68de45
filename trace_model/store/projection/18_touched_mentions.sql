-- touched_mentions (scratch): every id whose object must be derived again: those spoken of, and all other ids of the same objects.
select mention_key from spoken_ids
union
select alias_key from touched_resolutions
union
select object_key from touched_resolutions where object_key is not null
