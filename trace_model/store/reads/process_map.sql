-- process_map: one row per step that timelines took from one milestone to the next, most taken first; to_milestone is null where they stand.
-- $days int; $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: from_milestone, to_milestone, order_count, amount (reporting currency), median_s (null where they stand), failed_count (orders
--   with an exception that began on the step), passing_count (orders that passed over a milestone of their own path with it: order_walks),
--   kind: skip (most of them did), back (to an earlier one of the path), side (to or from one that is only seen at times), end (where they
--   stand), declared (none of these)
with walks as (
    from order_walks($as_of, $days, $region, $product_line, $legal_entity)
),
paths as (
    select lead_key, reporting_amount, unnest(steps) as step, unnest(steps[2:]) as next_step from walks
),
failing as (
    select distinct m.lead_key, f.opened_at
    from failures f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    where f.opened_at <= $as_of
),
struck as (
    select distinct p.lead_key, p.step
    from paths p
    join failing f on f.lead_key = p.lead_key and f.opened_at >= step_at(p.step) and f.opened_at <= coalesce(step_at(p.next_step), $as_of)
),
counted as (
    select step_position(p.step) as from_position, step_position(p.next_step) as to_position, count(*) as order_count,
        sum(p.reporting_amount) as amount, median((p.next_step >> 10) - (p.step >> 10)) / 1e6 as median_s, count(s.lead_key) as failed_count
    from paths p
    left join struck s on s.lead_key = p.lead_key and s.step = p.step
    group by all
),
passing as (
    select from_position, to_position, count(distinct lead_key) as passing_count
    from (select lead_key, unnest(deviations, recursive := true) from walks)
    where from_position is not null
    group by all
),
steps as (
    select c.*, coalesce(o.passing_count, 0) as passing_count, a.milestone as from_milestone, b.milestone as to_milestone,
        a.expected = 'always' and b.expected = 'always' as is_declared
    from counted c
    join cat_milestones a on a.position = c.from_position
    left join cat_milestones b on b.position = c.to_position
    left join passing o on o.from_position = c.from_position and o.to_position = c.to_position
)
select s.from_milestone, s.to_milestone, s.order_count, s.amount, s.median_s, s.failed_count, s.passing_count,
    case
        when s.to_milestone is null then 'end'
        when s.is_declared and s.to_position < s.from_position then 'back'
        when s.passing_count * 2 > s.order_count then 'skip'
        when not s.is_declared then 'side'
        else 'declared'
    end as kind
from steps s
order by s.order_count desc, s.from_milestone, s.to_milestone
