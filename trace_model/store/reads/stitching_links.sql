-- stitching_links: one row per kind of evidence that ties one object to another, the surest first.
-- $as_of timestamptz
-- columns: source, confidence, link_count
select source, max(confidence) as confidence, count(*) as link_count
from links
where seen_at <= $as_of and kind = 'part_of'
group by source
order by confidence desc, link_count desc, source
