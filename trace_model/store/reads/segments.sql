-- segments: one row per value that timelines have for each segment: what the filters offer.
-- columns: segment, value, timeline_count
select segment, value, count(*) as timeline_count
from (unpivot (select region, product_line, legal_entity, tier from timelines) on region, product_line, legal_entity, tier into name segment value value)
group by segment, value
order by segment, value
