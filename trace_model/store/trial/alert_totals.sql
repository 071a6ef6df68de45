-- alert_totals: one row per kind and channels told: how many alerts before and after, about how many things. By kind, then channels.
-- columns: kind, channels, before_count, after_count (alerts), before_things, after_things
with each as (
    select 'before' as side, kind, cause_key, alert_no, count(*) as things from before_alerts group by kind, cause_key, alert_no
    union all
    select 'after', kind, cause_key, alert_no, count(*) from after_alerts group by kind, cause_key, alert_no
)
select e.kind, r.channels, count(*) filter (e.side = 'before') as before_count, count(*) filter (e.side = 'after') as after_count,
    coalesce(sum(e.things) filter (e.side = 'before'), 0)::bigint as before_things,
    coalesce(sum(e.things) filter (e.side = 'after'), 0)::bigint as after_things
from each e join routed r on r.side = e.side and r.cause_key = e.cause_key and r.alert_no = e.alert_no
group by e.kind, r.channels
order by e.kind, r.channels
