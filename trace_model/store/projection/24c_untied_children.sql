-- untied_children (scratch): one row per touched child that nothing said ties and correlation ID it was seen with.
select c.object_key, c.object_type, c.correlation_key
from object_correlations c
semi join touched_children t on t.child_key = c.object_key
where c.object_type in (select child_type from cat_relations where kind = 'part_of')
  and c.object_key not in (select child_key from said_links where kind = 'part_of')
