-- Ends of links that go or come lose or gain a place in a timeline: they count as touched, too.
insert into touched_objects
select distinct k.parent_key from links k semi join touched_children t on t.child_key = k.child_key
union
select child_key from touched_children
union
select parent_key from links_fresh
