-- What the facts of spans were read by: while it is the same, another catalogue's rows are made from them.
alter table if exists projection_state add column facts_hash varchar default '';
