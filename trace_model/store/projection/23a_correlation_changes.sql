-- correlation_changes (scratch): one row per object that a correlation ID gained (change 1) or lost (-1). Who is on a correlation ID
-- decides what it ties; more said of the same objects does not.
with before as (
    select object_key, object_type, correlation_key from object_correlations semi join touched_mentions on mention_key = object_key
)
select *, 1 as change from (from object_correlations_fresh except from before)
union all
select *, -1 from (from before except from object_correlations_fresh)
