-- next_milestone: at most one row: the first milestone of the declared path that the timeline expects and has not (wholly) reached at $as_of.
-- What lies before the furthest milestone reached comes last: an order that was accepted does not wait for its quote any more.
-- $lead_key ubigint; $as_of timestamptz
-- columns: milestone, label, due_at, paused_by (the pause for which a promise to it stands still), owner_team, system, coverage
select c.milestone, c.label, c.owner_team, c.system, coalesce(t.coverage, 'none') as coverage,
    (select min(k.due_at) from clocks_at($as_of) k join cat_promises p using (promise) where k.lead_key = $lead_key and p.stop = c.milestone) as due_at,
    (select any_value(u.label) from clocks_at($as_of) k join cat_promises p using (promise) join cat_pauses u on u.pause = k.paused_by
        where k.lead_key = $lead_key and p.stop = c.milestone) as paused_by
from cat_milestones c
cross join (select * from timelines where lead_key = $lead_key) l
left join timeline_milestones t on t.lead_key = l.lead_key and t.milestone = c.milestone
where c.expected = 'always' and (t.reached_at is null or t.reached_at > $as_of or (t.coverage = 'partial' and c.covers <> 'once'))
  and expects(c, l)
  and coalesce(l.completed_at > $as_of, true) and coalesce(l.cancelled_at > $as_of, true)
order by c.position < (
    select max(p.position) from timeline_milestones m join cat_milestones p using (milestone)
    where m.lead_key = $lead_key and m.reached_at <= $as_of and p.expected = 'always'
) and t.reached_at is null, c.position
limit 1
