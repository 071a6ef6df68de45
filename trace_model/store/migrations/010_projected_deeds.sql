-- Deeds that open or close a pause move clocks: the projection remembers how far it has taken them in, as it does for spans.
alter table projection_state add column projected_action_no bigint default 0;
