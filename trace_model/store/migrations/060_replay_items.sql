-- What an item changes and starts from, whose runbook it followed, and whether it was ever in doubt; why a plan needs two keys,
-- and which plan it replaces.
alter table replay_items add column reconciles boolean default false;
alter table replay_items add column patch varchar;
alter table replay_items add column starts_from varchar;
alter table replay_items add column owner_team varchar;
alter table replay_items add column doubted_at timestamptz;
alter table replay_plans add column approval_reason varchar;
alter table replay_plans add column replaces varchar;
