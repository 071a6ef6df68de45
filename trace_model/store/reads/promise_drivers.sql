-- promise_drivers: one row per promise and segment value: what changed in the share of clocks not kept, decided in the seven days before $as_of against the
-- seven before them, and how much of that this value drives. Largest contribution first.
-- $segment 'region'|'product_line'|'legal_entity'|'tier'|'workflow'; $as_of timestamptz
-- columns: promise, label, segment, value, decided_count, missed_count, missed_share (0..1), before_decided_count, before_missed_count, before_missed_share,
--   contribution (points of the promise's whole share, 0..1; those of one promise add up to its change), total_change
with decided as (
    select c.promise, c.label, c.position, c.state, weeks_ago(least(coalesce(c.stopped_at_then, c.due_at), c.due_at), $as_of) as week,
        coalesce(case $segment when 'region' then c.segment.region when 'product_line' then c.segment.product_line when 'legal_entity' then c.segment.legal_entity
            when 'tier' then c.segment.tier when 'workflow' then c.segment.workflow end, 'not given') as value
    from clock_states($as_of) c
    where least(coalesce(c.stopped_at, c.due_at), c.due_at) > $as_of::timestamptz - interval 14 day and c.state in ('met', 'met_late', 'breached')
),
counted as (
    select promise, any_value(label) as label, value, count(*) filter (week = 0) as decided_count, count(*) filter (week = 0 and state <> 'met') as missed_count,
        count(*) filter (week = 1) as before_decided_count, count(*) filter (week = 1 and state <> 'met') as before_missed_count
    from decided where week in (0, 1)
    group by promise, value
),
shared as (
    select *, coalesce(missed_count / nullif(sum(decided_count) over one, 0), 0) - coalesce(before_missed_count / nullif(sum(before_decided_count) over one, 0), 0) as contribution
    from counted
    window one as (partition by promise)
)
select promise, label, $segment as segment, value, decided_count, missed_count, missed_count / nullif(decided_count, 0) as missed_share,
    before_decided_count, before_missed_count, before_missed_count / nullif(before_decided_count, 0) as before_missed_share,
    contribution, sum(contribution) over (partition by promise) as total_change
from shared
order by abs(contribution) desc, promise, value
