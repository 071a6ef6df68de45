-- What depends on now, decided once for every question: clock states, timeline states, open failures, all as of an instant.
-- Created at each opening of the store.

-- clocks_at: one row per clock that has started, as what was known of its pauses at `as_of` has it.
create or replace macro clocks_at(as_of) as table
from clocks where holds_from <= as_of and (holds_until is null or holds_until > as_of);

-- clock_states: clocks_at with the state at `as_of`: met, met_late, paused, breached, at_risk, running. What stopped in a pause was in time.
create or replace macro clock_states(as_of) as table
select c.*, p.label, p.start, p.stop, v.owner_team, p.position,
    case when c.stopped_at <= as_of then c.stopped_at end as stopped_at_then,
    case
        when c.stopped_at <= as_of and (c.stopped_at <= c.due_at or c.paused_by is not null) then 'met'
        when c.stopped_at <= as_of then 'met_late'
        when c.paused_by is not null then 'paused'
        when c.due_at < as_of then 'breached'
        when c.at_risk_at <= as_of then 'at_risk'
        else 'running'
    end as state
from clocks_at(as_of) c
join cat_promises p on p.promise = c.promise
join cat_promise_variants v on v.promise = c.promise and v.variant = c.variant;

-- group_deeds: one row per exception group that people acted on, with what holds at `as_of`.
create or replace macro group_deeds(as_of) as table
select subject_id as group_id,
    arg_max(actor, action_no) filter (deed = 'acknowledge') as acknowledged_by,
    max(acted_at) filter (deed = 'acknowledge') as acknowledged_at,
    arg_max(detail->>'team', action_no) filter (deed = 'assign') as assigned_team,
    arg_max(detail->>'person', action_no) filter (deed = 'assign') as assigned_person,
    arg_max((detail->>'until')::timestamptz, action_no) filter (deed = 'snooze') as snoozed_until,
    max(acted_at) filter (deed = 'resolve') as resolved_by_hand_at,
    arg_max(detail->>'class', action_no) filter (deed = 'reclassify') as reclassified_class,
    arg_max(detail->>'category', action_no) filter (deed = 'reclassify') as reclassified_category,
    count(*) filter (deed = 'note') as note_count
from operator_actions
where subject_type = 'exception_group' and acted_at <= as_of
group by subject_id;

-- known_failures: one row per exception, in the episode that holds at `as_of`, with its verdict, owner, lead and money.
-- state: open, resolved. A shared object's failure counts the money of each order it holds up.
create or replace macro known_failures(as_of) as table
with held as (
    select f.*, case when f.resolved_at <= as_of or g.resolved_by_hand_at >= f.last_failed_at then 'resolved' else 'open' end as state,
        case when f.resolved_at <= as_of then f.resolved_at else g.resolved_by_hand_at end as resolved_at_then,
        s.group_id, coalesce(g.reclassified_class, s.class) as class, coalesce(g.reclassified_category, s.category) as category,
        s.transient, s.confidence, s.rule, s.facts,
        g.acknowledged_by, g.acknowledged_at, g.assigned_team, g.assigned_person, g.snoozed_until
    from failures f
    join signatures s using (signature)
    left join group_deeds(as_of) g on g.group_id = s.group_id
    where f.opened_at <= as_of
    qualify row_number() over (partition by f.exception_id order by f.episode desc) = 1
),
leads as (
    select h.exception_id,
        arg_min(t.lead_type, (t.lead_type <> 'order', t.lead_id)) as lead_type, arg_min(t.lead_id, (t.lead_type <> 'order', t.lead_id)) as lead_id,
        arg_min(t.lead_key, (t.lead_type <> 'order', t.lead_id)) as lead_key,
        arg_min(t.customer_id, t.lead_id) as customer_id, arg_min(t.customer_name, t.lead_id) as customer_name,
        sum(t.reporting_amount) as blocked_amount, count(*) as lead_count,
        arg_min(t.region, t.lead_id) as region, arg_min(t.legal_entity, t.lead_id) as legal_entity, arg_min(t.product_line, t.lead_id) as product_line
    from held h
    join timeline_members m on m.object_key = h.object_key and m.direction <> 'up'
    join timelines t on t.lead_key = m.lead_key
    group by h.exception_id
),
owned as (
    select h.exception_id, arg_min(r.team, r.position) as team
    from held h
    left join leads l using (exception_id)
    join cat_owner_rules r on (len(r.classes) = 0 or list_contains(r.classes, h.class))
        and (len(r.categories) = 0 or list_contains(r.categories, h.category))
        and (len(r.systems) = 0 or list_contains(r.systems, h.system))
        and (len(r.legal_entities) = 0 or list_contains(r.legal_entities, l.legal_entity))
        and (len(r.regions) = 0 or list_contains(r.regions, l.region))
        and (r.min_amount is null or l.blocked_amount >= r.min_amount)
    group by h.exception_id
)
select h.*, l.* exclude (exception_id), coalesce(h.assigned_team, o.team) as owner_team
from held h left join leads l using (exception_id) left join owned o using (exception_id);

-- open_failures: known_failures that are open at `as_of`.
create or replace macro open_failures(as_of) as table
select * from known_failures(as_of) where state = 'open';

-- timeline_states: one row per timeline that has started, with its state at `as_of` and the clock that decides it.
create or replace macro timeline_states(as_of) as table
with running as (
    select lead_key, min(due_at) as due_at, arg_min(promise, due_at) as promise, arg_min(label, due_at) as promise_label,
        arg_min(stop, due_at) as promise_stop, arg_min(owner_team, due_at) as promise_team,
        bool_or(state = 'breached') as is_breached, bool_or(state = 'at_risk') as is_at_risk,
        bool_or(state in ('running', 'at_risk', 'paused')) as is_awaited,
        list(promise order by due_at) as promises
    from clock_states(as_of)
    where state in ('running', 'at_risk', 'breached', 'paused')
    group by lead_key
),
failing as (
    select m.lead_key, count(*) as open_exception_count, arg_max(f.sentence, f.last_failed_at) as exception_sentence,
        arg_max(f.class, f.last_failed_at) as exception_class, arg_max(f.owner_team, f.last_failed_at) as exception_team
    from open_failures(as_of) f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    group by m.lead_key
)
select t.*, r.due_at, r.promise, r.promise_label, r.promise_stop, r.promise_team, r.promises,
    coalesce(f.open_exception_count, 0) as open_exception_count, f.exception_sentence, f.exception_class, f.exception_team,
    case
        when t.cancelled_at <= as_of then 'cancelled'
        when t.completed_at <= as_of then 'completed'
        when r.is_breached then 'breached'
        -- silence that a promise still allows (a payment term) is no standstill
        when t.stuck_at <= as_of and f.open_exception_count is null and not coalesce(r.is_awaited, false) then 'stuck'
        when r.is_at_risk then 'at_risk'
        else 'on_track'
    end as state
from timelines t
left join running r on r.lead_key = t.lead_key
left join failing f on f.lead_key = t.lead_key
where t.started_at <= as_of;

-- is_down: whether a system is down by its calls of ten minutes: half or more of at least five failed.
create or replace macro is_down(call_count, failed_count) as call_count >= 5 and failed_count * 2 >= call_count;

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

-- flow_steps: one row per timeline that started on the days from_day..until_day (UTC) and step of the declared path that its segment expects, with
-- how much of it should be there by the step before (one that was passed over does not count) and how much is, in the order's currency, and why. Cancelled ones are left out.
-- explanation (null: they do not differ): exception (an open one stands in the way: of the step's
-- operation, or of one of its object that has no step), in_transit (within its promise, or without one not yet stuck),
-- not_seen (past that, and nothing was seen of it), passed_over (never seen, though a later step was), lessened (complete with less: a credit),
-- more (covers more than the step before). difference = due_amount - amount, so that what is explained adds up to the whole.
create or replace macro flow_steps(as_of, from_day, until_day) as table
with leads as (
    select lead_key, lead_type, lead_id, customer_name, started_at::date as day, coalesce(legal_entity, 'not given') as legal_entity,
        coalesce(currency, 'not given') as currency, coalesce(amount, 0) as whole, reporting_amount, quantity, stuck_at,
        region, product_line, legal_entity as entity, tier, workflow
    from timelines
    where started_at <= as_of and started_at::date between from_day and until_day and coalesce(cancelled_at > as_of, true)
),
steps as (
    select l.*, c.milestone, c.label, c.position, c.object_type, c.owner_team, c.system, m.lead_key is not null as is_reached, m.reached_at,
        coalesce(m.complete_at <= as_of, false) as is_complete,
        case
            when m.lead_key is null then 0
            when c.covers = 'amount' then coalesce(m.covered_amount, l.whole)
            when c.covers = 'quantity' and l.quantity > 0 and m.covered_quantity is not null then l.whole * least(m.covered_quantity / l.quantity, 1)
            else l.whole
        end::decimal(18, 2) as amount
    from leads l
    join cat_milestones c on c.expected = 'always'
        and (len(c.regions) = 0 or list_contains(c.regions, l.region))
        and (len(c.product_lines) = 0 or list_contains(c.product_lines, l.product_line))
        and (len(c.legal_entities) = 0 or list_contains(c.legal_entities, l.entity))
        and (len(c.tiers) = 0 or list_contains(c.tiers, l.tier))
        and (len(c.workflows) = 0 or list_contains(c.workflows, l.workflow))
    left join timeline_milestones m on m.lead_key = l.lead_key and m.milestone = c.milestone and least(m.reached_at, m.complete_at) <= as_of
),
placed as (
    select *, not is_reached and coalesce(bool_or(is_reached) over after, false) as is_passed
    from steps
    window after as (partition by lead_key order by position rows between 1 following and unbounded following)
),
ordered as (
    select *,
        coalesce(last_value(case when not is_passed then is_reached end ignore nulls) over before, true) as is_due,
        coalesce(last_value(case when not is_passed then amount end ignore nulls) over before, whole)::decimal(18, 2) as due_amount
    from placed
    window before as (partition by lead_key order by position rows between unbounded preceding and 1 preceding)
),
awaited as (
    select lead_key, stop as milestone, bool_or(state = 'breached') as is_breached, min(due_at) as due_at
    from clock_states(as_of) where state not in ('met', 'met_late') group by lead_key, stop
),
failing as (
    select m.lead_key, list(distinct o.milestone) as milestones,
        list(distinct coalesce(o.object_type, f.object_type)) filter (o.milestone is null) as object_types, arg_max(f.exception_id, f.last_failed_at) as exception_id,
        arg_max(f.group_id, f.last_failed_at) as group_id, arg_max(f.sentence, f.last_failed_at) as sentence
    from open_failures(as_of) f
    join timeline_members m on m.object_key = f.object_key and m.direction <> 'up'
    left join cat_operations o on o.operation = f.operation
    group by m.lead_key
)
select o.* exclude (entity, whole, quantity), o.whole::decimal(18, 2) as order_amount, o.due_amount - o.amount as difference,
    w.due_at, f.exception_id, f.group_id, f.sentence,
    case
        when not o.is_due and o.amount <= o.due_amount then null
        when o.amount > o.due_amount then 'more'
        when o.is_complete and o.amount < o.due_amount then 'lessened'
        when o.is_complete or (o.is_reached and o.amount = o.due_amount) then null
        when list_contains(f.milestones, o.milestone) or list_contains(f.object_types, o.object_type) then 'exception'
        when w.is_breached is false then 'in_transit'
        when o.is_passed then 'passed_over'
        when f.lead_key is not null then 'exception'
        when w.lead_key is null and o.stuck_at > as_of then 'in_transit'
        else 'not_seen'
    end as explanation
from ordered o
left join awaited w on w.lead_key = o.lead_key and w.milestone = o.milestone
left join failing f on f.lead_key = o.lead_key;

-- tied_spans: one row per trace, system, hour (UTC) and kind of evidence that ties its spans to an object: id, alias, parent, correlation
-- (the correlation ID alone, and only where it has a single lead object), none.
create or replace macro tied_spans() as table
with single as (
    select correlation_key
    from object_correlations
    group by correlation_key
    having count(*) filter (object_type in (select object_type from cat_lead_types where preference = 0)) = 1
)
select s.system, s.hour, s.span_count,
    case
        when s.evidence <> 'none' then s.evidence
        when s.correlation_key in (select correlation_key from single) then 'correlation'
        else 'none'
    end as evidence
from trace_stitching s;
