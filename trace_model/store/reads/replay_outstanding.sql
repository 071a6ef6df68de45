-- replay_outstanding: one row per target that has replays whose end is open, of whichever plan. Ordered by engine, system.
-- columns: engine, system (either may be null), item_count
select engine, system, count(*) as item_count
from replay_items
where outcome in ('sent', 'accepted', 'uncertain')
group by engine, system
order by engine nulls last, system nulls last
