-- timeline_members: one row per lead object and object in its timeline, itself included. Replaced by lead_key.
-- A shared invoice stands in each order's timeline with its share, and never melts them into one (docs/timelines.md).
-- share, parts: the part of the object that belongs to this lead, along allocating links; the shares of an object over its leads add
--   up to 1. parts are its stretches of the whole, null when it belongs to this lead alone. What lies above is there as a whole.
-- amount, quantity: that part of the object's own, in its own currency.
with shared as (
    select *, direction <> 'down' or parts_share > 0.999999999 as is_whole from timeline_reach
)
select s.lead_key, s.object_key, s.object_type, s.depth, s.direction,
    case when s.is_whole then 1.0 else s.parts_share end::double as share,
    allotted(o.amount, case when s.is_whole then null else s.parts end, minor_digits(o.currency)) as amount,
    allotted(o.quantity, case when s.is_whole then null else s.parts end, 4) as quantity,
    case when s.is_whole then null else s.parts end as parts
from shared s
join near_rows o on o.object_key = s.object_key
