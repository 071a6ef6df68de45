-- object_warnings: one row per object and kind of doubt about its links. Replaced by object_key.
-- kinds: ambiguous_correlation (the object is tied to nothing, since its correlation ID has several possible parents).
select distinct child_key as object_key, 'ambiguous_correlation' as kind,
    'its correlation ID has more than one possible ' || parent_type as detail
from correlated_links
where not ties and child_key not in (select child_key from correlated_links where ties)
