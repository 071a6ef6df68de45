-- class_rules: one row per rule that decided about a failure of the $days days before $as_of: whether it earns its keep. Most failures first.
-- $days int; $as_of timestamptz
-- columns: rule ('' where none fitted), exception_count, group_count, systems, confidence (mean), reviewed_count (groups that a person acknowledged, assigned,
--   resolved or reclassified), corrected_count (groups put in another class or category), kept_share (of the reviewed, those left as judged)
with judged as (
    select f.group_id, f.system, s.rule, s.confidence,
        coalesce(g.reclassified_class <> s.class or g.reclassified_category <> s.category, false) as is_corrected,
        g.answered_at is not null as is_reviewed
    from known_failures($as_of) f
    join signatures s using (signature)
    left join group_deeds($as_of) g on g.group_id = f.group_id
    where f.last_failed_at > $as_of - to_days($days) and f.kind in ('failed_operation', 'unknown_status')
)
select rule, count(*) as exception_count, count(distinct group_id) as group_count, list(distinct system order by system) as systems, avg(confidence) as confidence,
    count(distinct group_id) filter (is_reviewed) as reviewed_count, count(distinct group_id) filter (is_corrected) as corrected_count,
    case when count(distinct group_id) filter (is_reviewed) > 0
        then 1 - count(distinct group_id) filter (is_corrected) / count(distinct group_id) filter (is_reviewed) end as kept_share
from judged
group by rule
order by exception_count desc, rule
