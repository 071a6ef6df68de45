-- Every incoming trace is known from now on; answers each one's id and first record (> $base: it is new).
-- $base bigint: spans recorded so far; $top bigint: at most that many after this batch.
insert into traces
select trace_id, $base + 1, $top from (select distinct trace_id from incoming)
on conflict (trace_id) do update set last_seq = excluded.last_seq
returning trace_id::varchar as trace_id, first_seq
