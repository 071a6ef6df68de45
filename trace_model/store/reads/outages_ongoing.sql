-- outages_ongoing: one row per outage that goes on at $as_of, of whatever kind. Cheap beside `outages`, which says what each of them hits.
-- $as_of timestamptz; columns: outage_id
select outage_id from outages_now($as_of) where state = 'ongoing' order by outage_id
