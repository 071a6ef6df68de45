-- One number: of the touched parents, those with more than one child below them.
select count(*)
from (
    select parent_key
    from near_links
    where parent_key in (select parent_key from touched_parents)
    group by parent_key
    having count(*) > 1
)
