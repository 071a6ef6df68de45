-- silence_limits: one row per milestone and segment: how long 99 of 100 like orders were at most without progress after it. What 'stuck' is measured by.
-- $as_of timestamptz: later facts are unknown; $since timestamptz: of milestones reached since then; $per_mille int: of so many orders in a thousand
-- $least int: fewer gaps than this say nothing. columns: milestone, segment ('' for all), limit_s, like_count
with waited as (
    select m.lead_key, m.milestone, epoch(lead(m.reached_at) over (partition by m.lead_key order by m.reached_at, c.position)) - epoch(m.reached_at) as gap_s
    from timeline_milestones m join cat_milestones c using (milestone)
    where m.reached_at <= $as_of and m.reached_at > $since and m.lead_key % 1000 < $per_mille
),
gaps as (
    select w.milestone, segment_path(t.tier, t.product_line, t.region) as path, w.gap_s
    from waited w join timelines t using (lead_key)
    where w.gap_s is not null
)
select g.milestone, segment_name(g.path, d.depth) as segment, quantile_cont(g.gap_s, 0.99) as limit_s, count(*) as like_count
from gaps g cross join (select unnest([0, 1, 2, 3]) as depth) d
group by g.milestone, segment
having count(*) >= $least
order by g.milestone, segment
