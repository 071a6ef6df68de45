-- outages: one row per stretch in which runs against one system failed for want of an answer (downtime) or for calling too fast (throttling).
-- Replaced by window. found_at: the failure at which the evidence sufficed; null while it does not, and then nobody is told of an outage.
-- ended_at: the first answer after the last failure. closed_at: no later failure belongs to it: ten answers after its last, or three and a
-- quarter of an hour, or two hours of silence. A refusal is an answer: whoever rejects an order is up.
-- A window is read from ten minutes before its first failure ended: a run that fails for longer has no minute before its start to look at.
-- Windows count by case: a window with a filter reads its whole frame for each row. $from_at, $until_at: all windows lie between them.
with heard as (
    select r.trace_id, r.span_id, r.system, min(r.mention_key) as subject, any_value(r.operation) as operation, min(r.started_at) as started_at,
        min(r.ended_at) as ended_at, max(r.retry_count) + 1 as call_count,
        any_value(case when r.is_error then availability(s.class, s.category, s.confidence) else 'answered' end) as said,
        any_value(s.category) in ('outage', 'rate_limit') as is_explicit
    from operation_runs r
    left join signatures s on s.signature = r.signature
    where r.ended_at between $from_at::timestamptz - outage_before() and $until_at::timestamptz + outage_after()
      and r.system in (select system from outage_windows)
    group by r.trace_id, r.span_id, r.system
),
runs as (
    select h.*, w.kind, w.from_at, coalesce(outage_kind(h.said) = w.kind, false) as is_failed,
        h.said = 'answered' or h.said = 'throttled' and w.kind = 'downtime' as is_answer
    from (select h.*, k.kind from heard h, (values ('downtime'), ('throttling')) k(kind)) h
    asof join outage_windows w on w.system = h.system and w.kind = h.kind and h.ended_at >= w.from_at - outage_before()
    where h.ended_at <= w.until_at + outage_after()
),
answers as (
    select system, kind, from_at, ended_at as answered_at,
        row_number() over (partition by system, kind, from_at order by ended_at) as answer_no
    from runs
    where is_answer
),
failing as (
    select *
    from (
        select *, count(case when is_answer then 1 end) over (partition by system, kind, from_at order by ended_at range unbounded preceding) as answers_before
        from runs
    )
    where is_failed and ended_at >= from_at
),
answered as (
    -- the answer before each failure, and the ten after it
    select f.trace_id, f.span_id, f.system, f.kind, f.from_at,
        max(a.answered_at) filter (f.place = 0) as answered_before_at,
        list(a.answered_at order by a.answered_at) filter (f.place > 0 and a.answered_at <= f.ended_at + outage_after()) as answers_after
    from (select *, unnest(range(11)) as place from failing) f
    join answers a on a.system = f.system and a.kind = f.kind and a.from_at = f.from_at and a.answer_no = f.answers_before + f.place
    group by f.trace_id, f.span_id, f.system, f.kind, f.from_at
),
followed as (
    select f.*, a.answered_before_at, a.answers_after
    from failing f
    left join answered a using (trace_id, span_id, system, kind, from_at)
),
closing as (
    select *, answers_after[1] as answered_after_at,
        least(ended_at + outage_after(), coalesce(answers_after[10], 'infinity'),
            coalesce(greatest(answers_after[3], case when answers_after[3] is not null then answers_after[1] + interval 15 minute end), 'infinity')) as closed_at
    from followed
),
numbered as (
    select *, count(case when closed_before is null or closed_before < ended_at then 1 end) over (
        partition by system, kind, from_at order by ended_at, trace_id, span_id rows unbounded preceding) as number
    from (
        select *, lag(closed_at) over (partition by system, kind, from_at order by ended_at, trace_id, span_id) as closed_before
        from closing
    )
),
counted as (
    select *,
        row_number() over stretch as failed_runs,
        sum(case when is_explicit then call_count else 0 end) over stretch as explicit_calls,
        count(case when said <> 'unclear' then 1 end) over stretch as clear_runs,
        answers_before - first_value(answers_before) over stretch as answers_within,
        coalesce(first_value(answered_before_at) over stretch < first_value(started_at) over stretch - interval 1 minute, true) as was_quiet,
        sum(is_new_subject) over stretch as subjects, sum(is_new_operation) over stretch as operations
    from (
        select *,
            case when row_number() over (partition by system, kind, from_at, number, subject order by ended_at, trace_id, span_id) = 1 then 1 else 0 end as is_new_subject,
            case when row_number() over (partition by system, kind, from_at, number, operation order by ended_at, trace_id, span_id) = 1 then 1 else 0 end as is_new_operation
        from numbered
    )
    window stretch as (partition by system, kind, from_at, number order by ended_at, trace_id, span_id rows unbounded preceding)
)
select
    left(md5(concat_ws(chr(31), 'outage', system, kind, epoch_us(min(ended_at))::varchar)), 16) as outage_id,
    system, kind, min(started_at) as started_at, min(ended_at) as first_failed_at,
    min(ended_at) filter (
        -- nobody had an answer: three calls in a row that say so where no one else calls, or runs on two things where many do
        (answers_within = 0 and explicit_calls >= 3 and was_quiet)
        or (answers_within = 0 and failed_runs >= 3 and subjects >= 2 and clear_runs >= 1)
        -- a system that limits us says so, and lets some through
        or (kind = 'throttling' and explicit_calls >= 3)
        -- some had: a quarter or more failed, on three things
        or (failed_runs >= 6 and subjects >= 3 and failed_runs * 3 >= answers_within and clear_runs * 2 >= failed_runs)
        -- what failed is not known, yet nothing else came back, whatever was asked and for whom
        or (answers_within = 0 and subjects >= 5 and operations >= 2)
    ) as found_at,
    -- in a struct, since arg_max passes over what is null: an earlier failure's answer would end what still fails
    max(ended_at) as last_failed_at, arg_max({'at': answered_after_at}, (ended_at, trace_id, span_id)).at as ended_at,
    arg_max(closed_at, (ended_at, trace_id, span_id)) as closed_at,
    count(*) as failed_run_count, sum(call_count)::bigint as failed_call_count, max(answers_within)::bigint as answered_count
from counted
group by system, kind, from_at, number
