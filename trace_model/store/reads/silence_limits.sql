-- silence_limits: one row per milestone and segment: how long 99 of 100 like orders were at most without progress after it. What 'stuck' is measured by.
-- $as_of timestamptz: later facts are unknown; $since timestamptz: of milestones reached since then; $per_mille int: of so many orders in a thousand
-- $least int: fewer gaps than this say nothing. columns: milestone, segment ('' for all), limit_s (of working time of the milestone's stuck_calendar),
--   like_count, counted_in (what that working time is)
with waited as (
    select m.lead_key, m.milestone, c.stuck_calendar as calendar, c.counted_in, m.reached_at,
        lead(m.reached_at) over (partition by m.lead_key order by m.reached_at, c.position) as next_at
    from timeline_milestones m join cat_milestones c using (milestone)
    where m.reached_at <= $as_of and m.reached_at > $since and m.lead_key % 1000 < $per_mille
),
moved as (
    select w.*, worked_us(o, w.reached_at) as reached_us
    from (from waited where next_at is not null) w asof join cat_openings o on o.calendar = w.calendar and o.opens_at <= w.reached_at
),
worked as (
    select m.*, (worked_us(o, m.next_at) - m.reached_us) / 1000000 as gap_s
    from moved m asof join cat_openings o on o.calendar = m.calendar and o.opens_at <= m.next_at
),
gaps as (
    select w.milestone, w.counted_in, segment_path(t.tier, t.product_line, t.region) as path, w.gap_s
    from worked w join timelines t using (lead_key)
)
select g.milestone, segment_name(g.path, d.depth) as segment, quantile_cont(g.gap_s, 0.99) as limit_s, count(*) as like_count,
    any_value(g.counted_in) as counted_in
from gaps g cross join (select unnest([0, 1, 2, 3]) as depth) d
group by g.milestone, segment
having count(*) >= $least
order by g.milestone, segment
