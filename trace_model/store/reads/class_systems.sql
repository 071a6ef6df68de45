-- class_systems: one row per system with a failure in the $days days before $as_of: how much of it nobody knows. Most unknown first.
-- $days int; $as_of timestamptz
-- columns: system, label, exception_count, unknown_count, unknown_share, guess_count (judged with a confidence below 0.6), corrected_count, confidence (mean)
select f.system, any_value(c.label) as label, count(*) as exception_count, count(*) filter (f.class = 'unknown') as unknown_count,
    count(*) filter (f.class = 'unknown') / count(*) as unknown_share, count(*) filter (s.class <> 'unknown' and s.confidence < 0.6) as guess_count,
    count(*) filter (g.reclassified_class is not null) as corrected_count, avg(s.confidence) as confidence
from known_failures($as_of) f
join signatures s using (signature)
left join group_deeds($as_of) g on g.group_id = f.group_id
left join cat_systems c on c.name = f.system
where f.last_failed_at > $as_of - to_days($days) and f.kind in ('failed_operation', 'unknown_status')
group by f.system
order by unknown_count desc, guess_count desc, exception_count desc, f.system
