-- stitching: one row per day (UTC), system and kind of evidence that ties its spans to an object, of the days before $as_of.
-- $days int; $as_of timestamptz
-- columns: day_at, system, evidence (id, alias, parent, correlation, none), span_count
select date_trunc('day', hour) as day_at, system, evidence, sum(span_count)::bigint as span_count
from (
    select hour, system, evidence, sum(span_count) as span_count
    from tied_spans()
    where hour > $as_of - to_days($days) and hour <= $as_of
    group by all
)
group by day_at, system, evidence
order by day_at, system, evidence
