-- span_runs (scratch): one row per span that is a run of an operation on its subjects.
-- A span that names no operation but carries ids is a run of its own name, unless an operation stands above it.
-- Where a run failed because one inside it failed, and did not succeed there after all, only the innermost is a run that failed.
with candidates as (
    select s.seq, coalesce(s.operation, s.name) as run_name, s.is_error, s.ended_at,
        coalesce(c.operation_seq, c.keyed_seq) as above_seq
    from trace_spans s
    left join span_context c on c.seq = s.seq
    where s.seq in (select seq from span_objects where is_subject)
      and (s.operation is not null or (c.operation_seq is null and s.seq in (select seq from span_objects where via in ('id', 'alias'))))
),
failed_inside as (
    select above_seq as seq
    from (
        select above_seq, run_name, arg_max(is_error, epoch_us(ended_at) * 2 + is_error::bigint) as failed_last
        from candidates
        where above_seq in (select seq from candidates where is_error)
        group by above_seq, run_name
    )
    where failed_last
)
select seq, run_name
from candidates
where not (is_error and seq in (select seq from failed_inside))
