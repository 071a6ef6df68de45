-- touched_stakes (scratch): every object that fails and is near what was touched, or was found to contradict itself; and what fails no more.
select object_key from near_objects semi join failures using (object_key)
union
select object_key from check_failures
union
select object_key from object_stakes anti join failures using (object_key)
