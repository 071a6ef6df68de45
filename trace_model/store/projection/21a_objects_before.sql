-- objects_before (scratch): the touched objects as they were.
with found as materialized (
    -- where they stand first, by the key alone: a filter by key lets a few wrong rows by, and with them every column of nearly all blocks
    select rowid as place from objects
    where object_key in (select mention_key from touched_mentions union select object_key from bystander_facts)
)
from objects where rowid in (select place from found)
