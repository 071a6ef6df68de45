-- outages_lasting: one row per downtime found by $as_of that has not ended: those whose dependency is asked whether it is up again. By system.
-- $as_of timestamptz; columns: outage_id, system, last_failed_at
select outage_id, system, last_failed_at
from outages_now($as_of)
where kind = 'downtime' and state in ('ongoing', 'silent') and last_failed_at > $as_of::timestamptz - interval 2 day
order by system, outage_id
