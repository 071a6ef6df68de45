-- touched_children (scratch): every object whose links upward are derived again.
select mention_key as child_key from sibling_mentions
union
select object_key from touched_objects
union
select object_key from touched_correlation_objects
