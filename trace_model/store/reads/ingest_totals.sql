-- ingest_totals: one row: what is kept and how much of it is tied to an object.
-- columns: spans_stored, unstitched_count, by_id, by_alias, by_parent, by_correlation, first_received_at, last_received_at
select (select count(*) from spans) as spans_stored,
    coalesce(sum(span_count) filter (evidence = 'none'), 0)::bigint as unstitched_count,
    coalesce(sum(span_count) filter (evidence = 'id'), 0)::bigint as by_id,
    coalesce(sum(span_count) filter (evidence = 'alias'), 0)::bigint as by_alias,
    coalesce(sum(span_count) filter (evidence = 'parent'), 0)::bigint as by_parent,
    coalesce(sum(span_count) filter (evidence = 'correlation'), 0)::bigint as by_correlation,
    (select max(received_at) from spans) as last_received_at
from tied_spans()
