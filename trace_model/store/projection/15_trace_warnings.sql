-- trace_warnings: one row per trace, object it speaks of and kind of doubt about what was said. Nothing is corrected: spans stay as
-- they came. mention_key is null where the span's trace speaks of no object. Replaced by trace.
-- kinds: clock_skew (a span starts before its parent, or ends after it, by more than a second; work handed over by a message may
--   end later), missing_parent, amount_not_a_number, unknown_milestone, unknown_currency.
with doubts as (
    select s.seq, 'clock_skew' as kind,
        s.system || ' against ' || p.system as detail
    from trace_spans s
    join span_context c on c.seq = s.seq
    join trace_spans p on p.seq = c.parent_seq
    where s.started_at < p.started_at - interval 1 second
       or (s.ended_at > p.ended_at + interval 1 second and s.kind <> 5 and p.kind <> 4)
    union all
    select s.seq, 'missing_parent', 'a span of ' || s.system || ' names a parent that has not come'
    from trace_spans s
    where s.parent_span_id is not null and s.seq not in (select seq from span_context)
    union all
    select seq, 'amount_not_a_number', system || ' said ''' || left(amount_said, 40) || ''''
    from trace_spans
    where amount_said is not null and amount is null
    union all
    select seq, 'unknown_milestone', '''' || left(unknown_milestone, 60) || ''' is not in the catalogue'
    from trace_spans
    where unknown_milestone is not null
    union all
    select seq, 'unknown_currency', 'the catalogue has no rate for ' || currency
    from trace_spans
    where currency is not null and currency not in (select currency from cat_rates)
),
owned as (
    select d.*, coalesce(k.seq, c.keyed_seq) as keyed_seq
    from doubts d
    left join (select distinct seq from span_ids where is_own and traversed) k on k.seq = d.seq
    left join span_context c on c.seq = d.seq
)
select s.trace_id, min(o.seq) as seq, i.mention_key, o.kind, o.detail, count(*) as span_count
from owned o
join trace_spans s on s.seq = o.seq
left join (select distinct seq, mention_key from span_ids where is_own and traversed) i on i.seq = o.keyed_seq
group by s.trace_id, i.mention_key, o.kind, o.detail
