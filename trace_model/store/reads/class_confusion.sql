-- class_confusion: one row per class that the rules judged and class that people left or put it in, over the failures of the $days days before $as_of (what
-- a check found is no verdict of a rule).
-- Only what a person reclassified is a correction; all else stands as judged. In the contract's order.
-- $days int; $as_of timestamptz
-- columns: judged_class, class, group_count, exception_count, corrected_count (exceptions in groups that a person reclassified)
with judged as (
    select f.group_id, s.class as judged_class, coalesce(g.reclassified_class, s.class) as class, g.reclassified_class is not null as is_corrected
    from known_failures($as_of) f
    join signatures s using (signature)
    left join group_deeds($as_of) g on g.group_id = f.group_id
    where f.last_failed_at > $as_of - to_days($days) and f.kind in ('failed_operation', 'unknown_status')
)
select judged_class, class, count(distinct group_id) as group_count, count(*) as exception_count, count(*) filter (is_corrected) as corrected_count
from judged
group by judged_class, class
order by case judged_class when 'business' then 0 when 'technical' then 1 when 'dependency' then 2 else 3 end,
    case class when 'business' then 0 when 'technical' then 1 when 'dependency' then 2 else 3 end
