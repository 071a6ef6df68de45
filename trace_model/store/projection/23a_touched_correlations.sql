-- touched_correlations (scratch): correlation IDs that touched objects were, or are, seen with.
select correlation_key from object_correlations semi join touched_objects using (object_key)
union
select correlation_key from object_correlations_fresh
