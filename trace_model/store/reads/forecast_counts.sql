-- forecast_counts: one row per promise, segment and age bin: how many clocks stopped in it, how many run in it at $as_of.
-- What forecasts are fitted from. Cancelled orders stop their clocks like any other end: what is asked is whether a clock passes its due.
-- $as_of timestamptz: later facts are unknown; $since timestamptz: clocks that started before are left out
-- $edges double[]: ages at which bins begin, ascending from 0, as shares of what is promised
-- $per_mille int: of so many orders in a thousand (1000: all)
-- columns: promise, path varchar[], bin (from 0), ended_count, running_count
with edges as (
    select unnest($edges) as from_share, generate_subscripts($edges, 1) - 1 as bin
),
aged as (
    select c.promise, segment_path(t.tier, t.product_line, t.region) as path, c.age_s / c.within_s as share, c.stopped_at is not null as ended
    from clock_ages($as_of) c join timelines t using (lead_key)
    where c.started_at >= $since and c.lead_key % 1000 < $per_mille
)
select a.promise, a.path, e.bin, count(*) filter (a.ended) as ended_count, count(*) filter (not a.ended) as running_count
from aged a asof join edges e on a.share >= e.from_share
group by all
order by all
