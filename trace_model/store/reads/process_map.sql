-- process_map: one row per step that timelines took from one milestone to the next, most taken first (to_milestone is null where they stand); then one
-- row per way in which their paths are not the declared one, most orders first.
-- $days int; $region, $product_line, $legal_entity varchar or null; $as_of timestamptz
-- columns: order_count, amount (reporting currency); of a step: from_milestone, to_milestone, median_s (null where they stand), failed_count (orders
--   with an exception that began on the step), passing_count (orders that passed over a milestone of their own path with it: order_walks),
--   kind: skip (most of them did), back (to an earlier one of the path), side (to or from one that is only seen at times), end (where they
--   stand), declared (none of these); of a deviation: milestone, other (null where skipped: any later one), deviating_count (orders that deviate in
--   any way), kind: out_of_order (milestone before other, which is declared first), skipped (milestone passed over by a later one)
with walks as materialized (
    from order_walks($as_of, $days, $region, $product_line, $legal_entity)
),
-- what is the same for all orders of one way is counted by the ways, of which there are few
ways as materialized (
    select way_key, any_value(path) as path, any_value(deviations) as deviations, count(*) as order_count, sum(reporting_amount) as amount
    from walks group by way_key
),
taken as (
    select from_position, to_position, sum(order_count)::bigint as order_count, sum(amount) as amount
    from (select unnest(path) as from_position, unnest(path[2:]) as to_position, order_count, amount from ways)
    group by all
),
lasted as (
    select step_position(step) as from_position, step_position(next_step) as to_position, median((next_step >> 10) - (step >> 10)) / 1e6 as median_s
    from (select unnest(steps[:-2]) as step, unnest(steps[2:]) as next_step from walks)
    group by all
),
failing as (
    select distinct m.lead_key, f.opened_at
    from failures f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    where f.opened_at <= $as_of
),
struck as (
    select step_position(step) as from_position, step_position(next_step) as to_position, count(*) as failed_count
    from (
        select distinct p.lead_key, p.step, p.next_step
        from (
            select lead_key, unnest(steps) as step, unnest(steps[2:]) as next_step
            from walks where lead_key in (select lead_key from failing)
        ) p
        join failing f on f.lead_key = p.lead_key and f.opened_at >= step_at(p.step) and f.opened_at <= coalesce(step_at(p.next_step), $as_of)
    )
    group by all
),
deviating as materialized (
    select way_key, order_count, amount, unnest(deviations, recursive := true) from ways where deviations is not null
),
passing as (
    select from_position, to_position, sum(order_count)::bigint as passing_count
    from (select distinct way_key, order_count, from_position, to_position from deviating)
    where from_position is not null
    group by all
),
steps as (
    select c.*, l.median_s, coalesce(f.failed_count, 0) as failed_count, coalesce(o.passing_count, 0) as passing_count, a.milestone as from_milestone,
        b.milestone as to_milestone, a.expected = 'always' and b.expected = 'always' as is_declared
    from taken c
    join cat_milestones a on a.position = c.from_position
    left join cat_milestones b on b.position = c.to_position
    left join lasted l on l.from_position = c.from_position and l.to_position = c.to_position
    left join struck f on f.from_position = c.from_position and f.to_position is not distinct from c.to_position
    left join passing o on o.from_position = c.from_position and o.to_position = c.to_position
),
deviations as (
    select d.kind, m.milestone, case when d.kind = 'out_of_order' then o.milestone end as other,
        sum(d.order_count)::bigint as order_count, sum(d.amount) as amount,
        (select sum(order_count)::bigint from ways where deviations is not null) as deviating_count
    from deviating d
    join cat_milestones m on m.position = d.position
    join cat_milestones o on o.position = d.other_position
    group by all
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
union all by name
from deviations
order by milestone is not null, order_count desc, from_milestone, to_milestone, case when milestone is not null then kind end, milestone, other
