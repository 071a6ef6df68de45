-- arrivals: one row: what came in during the hour and the day before $as_of, for Today.
-- $as_of timestamptz
-- columns: hour_order_count, hour_order_amount, day_order_count, day_order_amount (orders by their first sign, reporting currency),
--   day_completed_count, day_completed_amount, day_exception_count (opened in the day)
select o.hour_order_count, o.hour_order_amount, o.day_order_count, o.day_order_amount, o.day_completed_count, o.day_completed_amount,
    f.day_exception_count
from (
    select count(*) filter (started_at > $as_of - interval 1 hour) as hour_order_count,
        coalesce(sum(reporting_amount) filter (started_at > $as_of - interval 1 hour), 0)::decimal(18, 2) as hour_order_amount,
        count(*) filter (started_at > $as_of - interval 24 hour) as day_order_count,
        coalesce(sum(reporting_amount) filter (started_at > $as_of - interval 24 hour), 0)::decimal(18, 2) as day_order_amount,
        count(*) filter (completed_at > $as_of - interval 24 hour and completed_at <= $as_of) as day_completed_count,
        coalesce(sum(reporting_amount) filter (completed_at > $as_of - interval 24 hour and completed_at <= $as_of), 0)::decimal(18, 2) as day_completed_amount
    from timelines
    where started_at <= $as_of
) o
cross join (
    select count(*) as day_exception_count from failures where opened_at > $as_of - interval 24 hour and opened_at <= $as_of
) f
