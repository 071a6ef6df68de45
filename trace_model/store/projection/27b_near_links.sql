-- near_links (scratch): every link that makes something part of another with an end among the near objects.
from links
where kind = 'part_of'
  and (child_key in (select object_key from near_objects) or parent_key in (select object_key from near_objects))
