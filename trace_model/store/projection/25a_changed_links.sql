-- changed_links (scratch): one row per link upward of a touched child that went, came or is another than before, by both its ends.
-- was_linked: the child had a link before; where none had, nothing need be taken away.
with before as (
    from links semi join touched_children using (child_key)
),
changed as (
    select child_key, parent_key from (from before except from links_fresh)
    union
    select child_key, parent_key from (from links_fresh except from before)
)
select *, child_key in (select child_key from before) as was_linked from changed
