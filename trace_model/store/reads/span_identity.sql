-- span_identity: one row: how many spans are kept and how many distinct (trace_id, span_id) they have. Equal, or deduplication failed.
select count(*) as span_count, count(distinct (trace_id, span_id)) as distinct_count from spans
