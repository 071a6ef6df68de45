-- timeline_pauses: one row per pause of a timeline that had begun at $as_of, oldest first.
-- $lead_key ubigint; $as_of timestamptz
-- columns: pause, label, from_at, until_at (null: it stands), opened_by, closed_by (a system or a person)
select p.pause, k.label, p.from_at, case when p.until_at <= $as_of then p.until_at end as until_at, p.opened_by,
    case when p.until_at <= $as_of then p.closed_by end as closed_by
from timeline_pauses p join cat_pauses k using (pause)
where p.lead_key = $lead_key and p.from_at <= $as_of
order by p.from_at, k.position
