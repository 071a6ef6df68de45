-- group_now: at most one row: what a group is called and owned now, as the audit keeps it before a deed.
-- $group_id varchar; $as_of timestamptz
select s.group_id, coalesce(g.reclassified_class, s.class) as class, coalesce(g.reclassified_category, s.category) as category,
    g.acknowledged_by, g.assigned_team, g.assigned_person, g.snoozed_until::varchar as snoozed_until
from signatures s
left join group_deeds($as_of) g on g.group_id = s.group_id
where s.group_id = $group_id
order by s.signature
limit 1
