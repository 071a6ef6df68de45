-- What depends on now, decided once for every question: clock states, timeline states, open failures, all as of an instant.
-- Created at each opening of the store.

-- utc_day: the day of an instant in UTC. A cast of the instant itself asks the calendar of a time zone, row by row: ten times the work.
create or replace macro utc_day(at_instant) as make_timestamp(epoch_us(at_instant))::date;

-- stopped_in_time: whether a clock that has stopped (a row of clocks) was in time. What stopped in a pause was.
create or replace macro stopped_in_time(c) as coalesce(c.stopped_at <= c.due_at, false) or c.paused_by is not null;
-- is_overdue: whether a clock that has not stopped by `as_of` is past its due instant.
create or replace macro is_overdue(c, as_of) as c.paused_by is null and coalesce(c.due_at < as_of, false);

-- clock_state: the state at `as_of` of a clock that holds then (a row of clocks): met, met_late, paused, breached, at_risk, running.
create or replace macro clock_state(c, as_of) as case
    when c.stopped_at <= as_of and stopped_in_time(c) then 'met'
    when c.stopped_at <= as_of then 'met_late'
    when c.paused_by is not null then 'paused'
    when is_overdue(c, as_of) then 'breached'
    when c.at_risk_at <= as_of then 'at_risk'
    else 'running'
end;

-- clock_states: clocks_at with the state at `as_of` and what the catalogue says of the promise.
create or replace macro clock_states(as_of) as table
select c.*, p.label, p.start, p.stop, v.owner_team, p.position,
    case when c.stopped_at <= as_of then c.stopped_at end as stopped_at_then,
    clock_state(c, as_of) as state
from clocks_at(as_of) c
join cat_promises p on p.promise = c.promise
join cat_promise_variants v on v.promise = c.promise and v.variant = c.variant;

-- open_clocks: clock_states that have not stopped by `as_of`: running, at_risk, paused, breached. They are few beside those that have;
-- said as a bound on one column, the others are left out where they are read, before anything is decided of them.
create or replace macro open_clocks(as_of) as table
from clock_states(as_of) where stopped_at is null or stopped_at > as_of;

-- timeline_states: one row per timeline that has started, with its state at `as_of` and the clock that decides it. only_leads: of these alone.
create or replace macro timeline_states(as_of, only_leads := null::ubigint[]) as table
with running as (
    select lead_key, min(due_at) as due_at, arg_min({'promise': promise, 'label': label, 'stop': stop, 'team': owner_team}, due_at) as nearest,
        bool_or(state = 'breached') as is_breached, bool_or(state = 'at_risk') as is_at_risk,
        list(promise order by due_at) as promises
    from open_clocks(as_of)
    where only_leads is null or lead_key in (select unnest(only_leads))
    group by lead_key
),
failing as (
    select m.lead_key, count(*) as open_exception_count, arg_max(f.sentence, f.last_failed_at) as exception_sentence,
        arg_max(f.class, f.last_failed_at) as exception_class, arg_max(f.owner_team, f.last_failed_at) as exception_team
    from open_failures(as_of) f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    where only_leads is null or m.lead_key in (select unnest(only_leads))
    group by m.lead_key
),
still as (
    -- silence that an open exception explains is no standstill; stuck_episodes looks alike
    select s.lead_key, s.limit_s, s.calendar, s.like_count, s.segment, s.stuck_at
    from standstills_at(as_of, false) s anti join failing f on f.lead_key = s.lead_key
)
select t.* replace (coalesce(s.stuck_at, t.stuck_at) as stuck_at), s.limit_s as like_limit_s, s.calendar as like_calendar, s.like_count, s.segment as like_segment,
    r.due_at, r.nearest.promise as promise, r.nearest.label as promise_label, r.nearest.stop as promise_stop, r.nearest.team as promise_team, r.promises,
    coalesce(f.open_exception_count, 0) as open_exception_count, f.exception_sentence, f.exception_class, f.exception_team,
    case
        when t.cancelled_at <= as_of then 'cancelled'
        when t.completed_at <= as_of then 'completed'
        when r.is_breached then 'breached'
        when s.stuck_at <= as_of then 'stuck'
        when r.is_at_risk then 'at_risk'
        else 'on_track'
    end as state
from timelines t
left join running r on r.lead_key = t.lead_key
left join failing f on f.lead_key = t.lead_key
left join still s on s.lead_key = t.lead_key
where t.started_at <= as_of and (only_leads is null or t.lead_key in (select unnest(only_leads)));

-- is_down: whether a system is down by its calls of ten minutes: half or more of at least five failed.
create or replace macro is_down(call_count, failed_count) as call_count >= 5 and failed_count * 2 >= call_count;

-- worked_s: the working time of a calendar until an instant, in seconds since its first opening; null before that, and where there is no such calendar.
create or replace macro worked_s(in_calendar, at_instant) as (
    select arg_max(o.worked_before_s + least(epoch(at_instant) - epoch(o.opens_at), epoch(o.closes_at) - epoch(o.opens_at)), o.opens_at)
    from cat_openings o
    where o.calendar = in_calendar and o.opens_at <= at_instant
);
-- instant_worked: the instant at which a calendar has worked for so many seconds.
create or replace macro instant_worked(in_calendar, seconds) as (
    select arg_max(o.opens_at + to_microseconds(round((seconds - o.worked_before_s) * 1000000)::bigint), o.worked_before_s)
    from cat_openings o
    where o.calendar = in_calendar and o.worked_before_s < seconds
);
-- silence_s: for how long nothing was heard, in the working time of a calendar; around the clock where there is none (''), or where it does not reach.
create or replace macro silence_s(in_calendar, heard_at, as_of) as
    coalesce(worked_s(in_calendar, as_of) - worked_s(in_calendar, heard_at), epoch(as_of) - epoch(heard_at));

-- system_states: one row per declared system, and when it was last heard of. state: down (is_down), degraded (a tenth or more of at least five calls
-- of ten minutes failed), silent (no span for its silent_after_s of its silent_calendar), up; unknown where it was never heard of.
create or replace macro system_states(as_of) as table
with recent as (
    select system, count(*) as call_count, count(*) filter (is_error) as failed_count
    from operation_runs
    where ended_at > as_of - interval 10 minute and ended_at <= as_of
    group by system
),
last_spans as (
    select system, max(ended_at) as last_seen_at from object_facts where ended_at <= as_of group by system
)
select s.name as system, s.label, s.kind, s.owner_team, l.last_seen_at,
    case
        when l.last_seen_at is null then 'unknown'
        when is_down(r.call_count, r.failed_count) then 'down'
        when r.call_count >= 5 and r.failed_count * 10 >= r.call_count then 'degraded'
        when silence_s(s.silent_calendar, l.last_seen_at, as_of::timestamptz) > s.silent_after_s then 'silent'
        else 'up'
    end as state
from cat_systems s
left join recent r on r.system = s.name
left join last_spans l on l.system = s.name;

-- alert_cause: what an alert is one of: things of one cause at one time are one alert.
create or replace macro alert_cause(kind, promise, owner_team, class, system, group_id) as concat_ws('|', kind,
    case kind
        when 'exception' then group_id
        when 'outage' then system
        when 'silent' then owner_team
        when 'queue_depth' then owner_team
        else concat_ws('|', promise, owner_team, coalesce(class, '-'))
    end);

-- latencies: one row per timeline that reached one milestone in the days before `as_of`: from when, until when (null: still waiting) it took to reach
-- another, and by when it was promised. Cancelled timelines are left out.
create or replace macro latencies(from_milestone, to_milestone, as_of, days) as table
select t.*, a.reached_at as from_at, case when b.reached_at <= as_of then b.reached_at end as until_at, c.due_at
from timelines t
join timeline_milestones a on a.lead_key = t.lead_key and a.milestone = from_milestone
left join timeline_milestones b on b.lead_key = t.lead_key and b.milestone = to_milestone
left join clocks_at(as_of) c on c.lead_key = t.lead_key and c.promise in (select promise from cat_promises where start = from_milestone and stop = to_milestone)
where a.reached_at <= as_of and a.reached_at > as_of - to_days(days) and coalesce(t.cancelled_at > as_of, true);

-- declared_steps: one row per milestone of the declared path (expected: always), each with a bit of its own (at most 62), in path order. An order's own
-- path is those it `expects`.
create or replace view declared_steps as
select *, (row_number() over (order by position) - 1)::int as step_bit from cat_milestones where expected = 'always';

-- highest_bit: the place of the highest bit of a mask above 0.
create or replace macro highest_bit(mask) as strlen(bin(mask)) - 1;

-- passed_over: of an order's path (bits), the steps it passed over: not there, neither seen nor complete without (a credit left nothing to pay), though a
-- later one was seen. A step seen in part, or taken back, is not passed over. The one rule of the process map and of completeness.
create or replace macro passed_over(there, seen, path) as
    case when seen & path > 0 then path & ~there & ((1::bigint << highest_bit(seen & path)) - 1) else 0 end;

-- flow_leads: one row per timeline that started on the days from_day..until_day (UTC) and was not cancelled by `as_of`, with its fate as bits, one a step of
-- the declared path: what it reached, what it waits for, what stands in the way. kind_key: orders of one day, entity, currency, segment and
-- fate are of one kind, since all that is said of a step is then the same for them. part_amount (of step part_bit, where one alone is covered in parts):
-- they are of one kind if all fall short, or all go beyond. Where several are (amounts), each order is a kind of its own.
create or replace macro flow_leads(as_of, from_day, until_day) as table
with leads as (
    select lead_key, utc_day(started_at) as day, coalesce(legal_entity, 'not given') as legal_entity, coalesce(currency, 'not given') as currency,
        coalesce(amount, 0)::decimal(18, 2) as whole, quantity, stuck_at, region, product_line, legal_entity as entity, tier, workflow
    from timelines
    where started_at <= as_of and utc_day(started_at) between from_day and until_day and coalesce(cancelled_at > as_of, true)
),
reached as (
    select m.lead_key, bit_or(1::bigint << c.step_bit) as mask,
        bit_or(case when m.reached_at <= as_of then 1::bigint << c.step_bit else 0 end) as seen_mask,
        bit_or(case when m.complete_at <= as_of then 1::bigint << c.step_bit else 0 end) as complete_mask,
        bit_or(case when m.undone_at <= as_of then 1::bigint << c.step_bit else 0 end) as undone_mask
    from timeline_milestones m join declared_steps c using (milestone)
    where least(m.reached_at, m.complete_at) <= as_of
    group by m.lead_key
),
-- what is reached is the whole of it but for these
parts as (
    select lead_key, count(*) as part_count, any_value(step_bit) as part_bit, any_value(amount) as part_amount,
        case when count(*) > 1 then map(list(step_bit), list(amount)) end as amounts
    from (
        select m.lead_key, c.step_bit, l.whole,
            case c.covers
                when 'amount' then m.covered_amount
                when 'quantity' then l.whole * least(m.covered_quantity / nullif(l.quantity, 0), 1)
            end::decimal(18, 2) as amount
        from timeline_milestones m
        join declared_steps c using (milestone)
        join leads l using (lead_key)
        where c.covers <> 'once' and least(m.reached_at, m.complete_at) <= as_of
    )
    where amount <> whole
    group by lead_key
),
awaited as (
    select s.lead_key, bit_or(1::bigint << c.step_bit) as awaited_mask,
        bit_or(case when s.state = 'breached' then 1::bigint << c.step_bit else 0 end) as breached_mask
    from open_clocks(as_of) s join declared_steps c on c.milestone = s.stop
    group by s.lead_key
),
failing as (
    select m.lead_key, bit_or(coalesce(1::bigint << c.step_bit, 0)) as failing_mask
    from open_failures(as_of) f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    left join cat_operations o on o.operation = f.operation
    left join declared_steps c on c.milestone = o.milestone or (o.milestone is null and c.object_type = coalesce(o.object_type, f.object_type))
    group by m.lead_key
),
known as (
    select l.*, coalesce(r.mask, 0) as mask, coalesce(r.seen_mask, 0) as seen_mask, coalesce(r.complete_mask, 0) as complete_mask,
        coalesce(r.undone_mask, 0) as undone_mask, coalesce(w.awaited_mask, 0) as awaited_mask,
        coalesce(w.breached_mask, 0) as breached_mask, f.lead_key is not null as is_failing, coalesce(f.failing_mask, 0) as failing_mask,
        coalesce(l.stuck_at > as_of, false) as is_still_early, case when a.part_count = 1 then a.part_bit end as part_bit,
        case when a.part_count = 1 then a.part_amount end as part_amount, a.amounts, x.rate
    from leads l
    left join reached r on r.lead_key = l.lead_key
    left join parts a on a.lead_key = l.lead_key
    left join awaited w on w.lead_key = l.lead_key
    left join failing f on f.lead_key = l.lead_key
    left join cat_rates x on x.currency = l.currency
)
select *, hash(day, legal_entity, currency, region, product_line, entity, tier, workflow, mask, seen_mask, complete_mask, undone_mask, awaited_mask, breached_mask, is_failing, failing_mask,
    is_still_early, sign(whole), part_bit, sign(part_amount), sign(part_amount - whole), case when amounts is not null then lead_key end) as kind_key
from known;

-- flow_steps: one row per kind of order (flow_leads) and step of the declared path that its segment expects: how much of it should be there by the step before
-- (one that was passed over does not count) and how much is, in the order's currency, and why. order_count and order_amount add up the orders of the
-- kind, which `members` are {lead_key, whole, part_amount}: so what is decided costs by the kinds, which are few.
-- explanation (null: they do not differ): exception (an open one stands in the way: of the step's
-- operation, or of one of its object that has no step), in_transit (within its promise, or without one not yet stuck),
-- in_part (past that, and a part of it was seen, or all of it was taken back), not_seen (past that, and nothing was seen of it), passed_over, lessened (complete with less: a credit),
-- more (covers more than the step before). difference = due_amount - amount, so that what is explained adds up to the whole.
-- due_part, amount_part: of what these are for each order: 'none', 'whole', 'part' (its part_amount), or 'own' (of the single order of the kind).
-- Those that end in _reporting are in reporting currency, rounded order by order (without a rate: null).
create or replace macro flow_steps(as_of, from_day, until_day) as table
with kinds as materialized (
    select kind_key, any_value(columns(lambda c: c in ('day', 'legal_entity', 'currency', 'region', 'product_line', 'entity', 'tier', 'workflow', 'mask', 'seen_mask', 'complete_mask',
            'undone_mask', 'awaited_mask', 'breached_mask', 'is_failing', 'failing_mask', 'is_still_early', 'part_bit', 'amounts', 'rate'))),
        count(*) as order_count, sum(whole) as whole, sum((whole * rate)::decimal(18, 2)) as whole_reporting,
        sum(part_amount) as part_amount, sum((part_amount * rate)::decimal(18, 2)) as part_reporting,
        list({'lead_key': lead_key, 'whole': whole, 'part_amount': part_amount}) as members
    from flow_leads(as_of, from_day, until_day)
    group by kind_key
),
paths as (
    select s.*, c.milestone, c.position, c.step_bit, lag(c.step_bit) over path as before_bit,
        bit_or(1::bigint << c.step_bit) over (partition by s.region, s.product_line, s.legal_entity, s.tier, s.workflow) as path_mask
    from (select distinct region, product_line, entity as legal_entity, tier, workflow from kinds) s
    join declared_steps c on expects(c, s)
    window path as (partition by s.region, s.product_line, s.legal_entity, s.tier, s.workflow order by c.position)
),
steps as (
    select k.*, p.milestone, p.position, p.step_bit, p.before_bit is null as is_first,
        1::bigint << p.step_bit as own, k.mask & p.path_mask as on_path, passed_over(k.mask, k.seen_mask, p.path_mask) as passed_mask,
        p.before_bit is null or (k.mask & p.path_mask) >> p.before_bit > 0 as is_due,
        k.mask & p.path_mask & ((1::bigint << p.step_bit) - 1) as on_path_before
    from kinds k
    join paths p on p.region is not distinct from k.region and p.product_line is not distinct from k.product_line
        and p.legal_entity is not distinct from k.entity and p.tier is not distinct from k.tier and p.workflow is not distinct from k.workflow
),
placed as (
    select *, mask & own > 0 as is_reached,
        case when on_path_before > 0 then highest_bit(on_path_before) end as due_bit,
        case
            when mask & own = 0 then 'none'
            when amounts[step_bit] is not null then 'own'
            when step_bit = part_bit then 'part'
            else 'whole'
        end as amount_part,
        case
            when not is_due then 'none'
            when amounts[due_bit] is not null then 'own'
            when due_bit = part_bit then 'part'
            else 'whole'
        end as due_part
    from steps
),
measured as (
    select *,
        case amount_part when 'none' then 0 when 'own' then amounts[step_bit] when 'part' then part_amount else whole end::decimal(18, 2) as amount,
        case due_part when 'none' then 0 when 'own' then amounts[due_bit] when 'part' then part_amount else whole end::decimal(18, 2) as due_amount
    from placed
)
select day, legal_entity, currency, rate, members, order_count, whole::decimal(18, 2) as order_amount, milestone, position, is_first, is_due, is_reached,
    due_part, amount_part, due_amount, amount, due_amount - amount as difference,
    case due_part when 'none' then 0 when 'own' then due_amount * rate when 'part' then part_reporting else whole_reporting end::decimal(18, 2) as due_reporting,
    case amount_part when 'none' then 0 when 'own' then amount * rate when 'part' then part_reporting else whole_reporting end::decimal(18, 2) as amount_reporting,
    case
        when not is_due and amount <= due_amount then null
        when amount > due_amount then 'more'
        when complete_mask & own > 0 and amount < due_amount then 'lessened'
        when complete_mask & own > 0 or (is_reached and amount = due_amount) then null
        when failing_mask & own > 0 then 'exception'
        when awaited_mask & own > 0 and breached_mask & own = 0 then 'in_transit'
        when passed_mask & own > 0 then 'passed_over'
        when is_failing then 'exception'
        when awaited_mask & own = 0 and undone_mask & own = 0 and is_still_early then 'in_transit'
        when is_reached then 'in_part'
        else 'not_seen'
    end as explanation
from measured;

-- weeks_ago: in which seven days before `as_of` an instant lies: 0 the latest.
create or replace macro weeks_ago(at_instant, as_of) as floor((epoch(as_of::timestamptz) - epoch(at_instant)) / 604800)::int;

-- order_durations: one row per timeline and duration that ended in the `weeks` weeks before `as_of`: order_acceptance (submitted to accepted),
-- invoice_latency (accepted to first invoice), cycle_time (first sign to all final milestones), cash_conversion (accepted to fully paid).
-- only_kpi: this duration alone, by the milestones that it needs.
create or replace macro order_durations(as_of, weeks, only_kpi := null::varchar) as table
with reached as (
    select lead_key, min(reached_at) filter (milestone = 'order_submitted') as submitted_at,
        min(reached_at) filter (milestone = 'order_accepted') as accepted_at,
        min(reached_at) filter (milestone = 'invoice_issued') as invoiced_at, min(complete_at) filter (milestone = 'payment_applied') as paid_at
    from timeline_milestones
    where list_contains(case only_kpi
        when 'order_acceptance' then ['order_submitted', 'order_accepted']
        when 'invoice_latency' then ['order_accepted', 'invoice_issued']
        when 'cycle_time' then []
        when 'cash_conversion' then ['order_accepted', 'payment_applied']
        else ['order_submitted', 'order_accepted', 'invoice_issued', 'payment_applied'] end, milestone)
    group by lead_key
),
kinds as (
    select t.*, unnest([
        {'kpi': 'order_acceptance', 'from_at': r.submitted_at, 'until_at': r.accepted_at},
        {'kpi': 'invoice_latency', 'from_at': r.accepted_at, 'until_at': r.invoiced_at},
        {'kpi': 'cycle_time', 'from_at': t.started_at, 'until_at': t.completed_at},
        {'kpi': 'cash_conversion', 'from_at': r.accepted_at, 'until_at': r.paid_at}
    ]) as taken
    from timelines t left join reached r using (lead_key)
    where t.started_at <= as_of
)
select * exclude (taken), taken.kpi as kpi, taken.from_at as from_at, taken.until_at as until_at,
    greatest(epoch(taken.until_at) - epoch(taken.from_at), 0) as duration_s, weeks_ago(taken.until_at, as_of) as week
from kinds
where taken.from_at <= as_of and taken.until_at <= as_of and taken.until_at > as_of - to_days(7 * weeks) and (only_kpi is null or taken.kpi = only_kpi);

-- interface_runs: one row per run of a declared operation (of any, where none is declared) in the `weeks` weeks before `as_of`.
-- is_repeat: it succeeded again on the same object in that time, with an operation that leads to a milestone.
create or replace macro interface_runs(as_of, weeks) as table
with runs as (
    select r.operation, r.mention_key, r.system, r.started_at, r.ended_at, r.is_error, r.message, o.label, o.milestone is not null as is_write,
        weeks_ago(r.ended_at, as_of) as week, coalesce(r.retry_count, 0) + (coalesce(r.attempt, 1) > 1)::int as retries
    from operation_runs r left join cat_operations o using (operation)
    where r.ended_at <= as_of and r.ended_at > as_of - to_days(7 * weeks)
      and (o.operation is not null or not exists (from cat_operations))
),
repeated as (
    select operation, mention_key, min(ended_at) as first_at from runs
    where is_write and not is_error
    group by operation, mention_key
    having count(*) > 1
)
select r.* exclude (is_write), r.is_write and not r.is_error and coalesce(r.ended_at > d.first_at, false) as is_repeat
from runs r left join repeated d on d.operation = r.operation and d.mention_key = r.mention_key;

-- unpaid_orders: one row per timeline invoiced and not fully paid at `as_of`, with what of the invoiced amount is open, in reporting currency.
create or replace macro unpaid_orders(as_of) as table
select t.lead_type, t.lead_id, t.lead_scope, t.customer_name, t.amount, t.currency, t.reporting_amount, t.region, t.product_line, t.legal_entity,
    greatest(coalesce(i.covered_amount * r.rate, t.reporting_amount) - coalesce(p.covered_amount * r.rate, 0), 0)::decimal(18, 2) as unpaid_amount,
    i.reached_at as invoiced_at, epoch(as_of::timestamptz) - epoch(i.reached_at) as age_s, c.due_at,
    case when c.due_at < as_of then 'overdue' else 'open' end as state, coalesce(p.coverage, 'none') as coverage
from timelines t
join timeline_milestones i on i.lead_key = t.lead_key and i.milestone = 'invoice_issued' and i.reached_at <= as_of
left join timeline_milestones p on p.lead_key = t.lead_key and p.milestone = 'payment_applied' and p.reached_at <= as_of
left join (
    select lead_key, min(due_at) as due_at from open_clocks(as_of) where stop = 'payment_applied' group by lead_key
) c on c.lead_key = t.lead_key
left join cat_rates r on r.currency = t.currency
where coalesce(t.cancelled_at > as_of, true) and coalesce(p.complete_at > as_of, true) and coalesce(p.coverage, 'none') in ('none', 'partial');

-- tied_spans: one row per trace, system, hour (UTC) and kind of evidence that ties its spans to an object: id, alias, parent, correlation
-- (the correlation ID alone, and only where it has a single lead object), none.
create or replace macro tied_spans() as table
with single as (
    select correlation_key
    from object_correlations
    group by correlation_key
    having count(*) filter (object_type in (select object_type from cat_lead_types where preference = 0)) = 1
)
select system, hour, span_count, evidence from trace_stitching where evidence <> 'none'
union all
select system, hour, span_count, case when correlation_key in (select correlation_key from single) then 'correlation' else 'none' end as evidence
from trace_stitching where evidence = 'none';

-- step_position, step_at: which milestone a step of order_walks reached, and when.
create or replace macro step_position(step) as step & 1023;
create or replace macro step_at(step) as make_timestamptz(step >> 10);

-- order_walks: one row per timeline that started in the days before as_of and reached a milestone by then, with its path: `steps`, sorted, each
-- an instant and a milestone's position in one number (step_at, step_position). So a path is sorted order by order, not as millions of rows:
-- by time, and at one instant as the catalogue declares them. Until the year 2255, and for less than 1,024 milestones.
-- deviations (null: none): in which ways its path is not the declared one of its segment, as {kind, position, other_position, from_position,
-- to_position}. out_of_order: the milestone at `position` was reached before `other`, which is declared before it. skipped: it was passed over
-- (passed_over), first by `other`. from, to: the step of the path that did so first (null where an earlier one had; from null: it began there).
-- Decided once for each way (way_key) that orders of a segment went, of which there are few: all orders of one took the same `path` and deviate alike.
-- A list's hash passes over zeros at its beginning, and 0 is the place of the first milestone: hence x + 1.
create or replace macro order_walks(as_of, days, in_region, in_product_line, in_legal_entity) as table
with leads as (
    select lead_key, reporting_amount, hash(region, product_line, legal_entity, tier, workflow) as segment_key
    from timelines
    where started_at <= as_of and started_at > as_of - to_days(days)
      and (in_region is null or region = in_region)
      and (in_product_line is null or product_line = in_product_line)
      and (in_legal_entity is null or legal_entity = in_legal_entity)
),
milestones as (
    select c.milestone, c.position, d.step_bit from cat_milestones c left join declared_steps d using (milestone)
),
stepped as (
    select m.lead_key, any_value(l.reporting_amount) as reporting_amount, any_value(l.segment_key) as segment_key,
        list_sort(list(epoch_us(m.reached_at) * 1024 + c.position) filter (m.reached_at <= as_of)) as steps,
        coalesce(bit_or(1::bigint << c.step_bit), 0) as there_mask
    from timeline_milestones m
    join leads l using (lead_key)
    join milestones c using (milestone)
    where least(m.reached_at, m.complete_at) <= as_of
    group by m.lead_key
),
walked as (
    select *, [step_position(x) for x in steps] as path, hash([x + 1 for x in path], there_mask, segment_key) as way_key
    from stepped
    where steps is not null
),
ways as (
    select w.*, t.region, t.product_line, t.legal_entity, t.tier, t.workflow
    from (
        select way_key, any_value(lead_key) as lead_key, any_value(path) as path, any_value(there_mask) as there_mask from walked group by way_key
    ) w
    join timelines t using (lead_key)
),
declared as (
    select w.way_key, any_value(w.there_mask) as there_mask, any_value(w.path) as path, bit_or(1::bigint << d.step_bit) as path_mask,
        bit_or(case when list_contains(w.path, d.position) then 1::bigint << d.step_bit else 0 end) as seen_mask,
        list_filter(any_value(w.path), lambda x: list_contains(list(d.position), x)) as on_path
    from ways w join declared_steps d on expects(d, w)
    group by w.way_key
),
deviating as (
    select w.way_key, w.path, 'out_of_order' as kind, w.on_path[e.i] as position, w.on_path[l.i] as other_position,
        case when e.i = list_position([x > w.on_path[l.i] for x in w.on_path], true) then w.on_path[e.i] end as to_position
    from declared w, unnest(range(1, len(w.on_path) + 1)) e(i), unnest(range(e.i + 1, len(w.on_path) + 1)) l(i)
    where w.on_path[e.i] > w.on_path[l.i]
    union all
    select w.way_key, w.path, 'skipped', d.position, [x for x in w.on_path if x > d.position][1], [x for x in w.on_path if x > d.position][1]
    from declared w join declared_steps d on passed_over(w.there_mask, w.seen_mask, w.path_mask) & (1::bigint << d.step_bit) > 0
),
deviations as (
    select way_key, list({'kind': kind, 'position': position, 'other_position': other_position,
        'from_position': path[list_position(path, to_position) - 1], 'to_position': to_position}) as deviations
    from deviating
    group by way_key
)
select w.lead_key, w.reporting_amount, w.steps, w.path, w.way_key, d.deviations
from walked w left join deviations d using (way_key);

-- order_paths: one row per timeline of order_walks and milestone it reached, with the one that came next; null where it stands now.
create or replace macro order_paths(as_of, days, in_region, in_product_line, in_legal_entity) as table
select lead_key, reporting_amount, unnest(steps) as step, unnest(steps[2:]) as next_step
from order_walks(as_of, days, in_region, in_product_line, in_legal_entity);

-- order_deviations: one row per timeline of order_walks and way in which it deviates.
create or replace macro order_deviations(as_of, days, in_region, in_product_line, in_legal_entity) as table
select w.lead_key, w.reporting_amount, w.kind, m.milestone, o.milestone as other
from (
    select lead_key, reporting_amount, unnest(deviations, recursive := true)
    from order_walks(as_of, days, in_region, in_product_line, in_legal_entity)
) w
join cat_milestones m on m.position = w.position
join cat_milestones o on o.position = w.other_position;
