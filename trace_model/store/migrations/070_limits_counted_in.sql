-- Limits of silence say what their seconds are; those that were fitted before count around the clock.
alter table if exists silence_limits add column counted_in varchar default '';
