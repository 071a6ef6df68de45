-- touched_correlation_objects (scratch): one row per object and touched correlation ID, with how many objects of its type and
-- how many lead objects that correlation ID has. A correlation ID of more than 200 objects is a batch and ties nothing.
with counted as (
    select c.*, count(*) over (partition by correlation_key) as object_count,
        count(*) over (partition by correlation_key, object_type) as of_type,
        count(*) filter (l.object_type is not null and l.preference = 0) over (partition by correlation_key) as lead_count
    from object_correlations c
    left join cat_lead_types l using (object_type)
    where c.correlation_key in (select correlation_key from touched_correlations)
)
select * exclude (object_count) from counted where object_count <= 200
