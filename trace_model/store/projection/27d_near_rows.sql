-- near_rows (scratch): the near objects as they are now.
from objects where object_key in (select object_key from near_objects)
