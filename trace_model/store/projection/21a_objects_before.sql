-- objects_before (scratch): the touched objects as they were.
from objects
where object_key in (select mention_key from touched_mentions) or object_key in (select object_key from bystander_facts)
