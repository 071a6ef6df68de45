-- Failures as of an instant, decided once for every question: what people did to a group, what an outage changes, who owns what, in which
-- state a group is. Created at each opening of the store, after forecast.sql and before reads/macros.sql.

-- group_deeds: one row per exception group that people acted on, with what holds at `as_of`. snooze: the condition as JSON, null once woken.
create or replace macro group_deeds(as_of) as table
select subject_id as group_id,
    arg_max(actor, action_no) filter (deed = 'acknowledge') as acknowledged_by,
    max(acted_at) filter (deed = 'acknowledge') as acknowledged_at,
    arg_max(detail, action_no) filter (deed = 'assign')->>'team' as assigned_team,
    arg_max(detail, action_no) filter (deed = 'assign')->>'person' as assigned_person,
    nullif(arg_max(case when deed = 'snooze' then detail else '' end, action_no) filter (deed in ('snooze', 'wake')), '') as snooze,
    max(acted_at) filter (deed = 'snooze') as snoozed_at,
    max(acted_at) filter (deed = 'resolve') as resolved_by_hand_at,
    arg_max(detail, action_no) filter (deed = 'reclassify')->>'class' as reclassified_class,
    arg_max(detail, action_no) filter (deed = 'reclassify')->>'category' as reclassified_category,
    from_json(arg_max(detail, action_no) filter (deed = 'tag')->'tags', '["VARCHAR"]') as tags,
    arg_max(detail, action_no) filter (deed = 'link')->>'ticket' as ticket,
    max(acted_at) filter (deed in ('acknowledge', 'assign', 'note', 'link', 'snooze', 'reclassify', 'resolve')) as answered_at,
    count(*) filter (deed = 'note') as note_count
from operator_actions
where subject_type = 'exception_group' and acted_at <= as_of
group by subject_id;

-- target_answers: one row per exception whose target was asked whether it has the thing, with the last answer that says so or not by `as_of`.
create or replace macro target_answers(as_of) as table
select subject_id as exception_id, arg_max(detail, action_no)->>'state' as target_state, max(acted_at) as target_answered_at,
    arg_max(detail, action_no)->>'evidence' as target_evidence, (arg_max(detail, action_no)->>'flow_stands')::boolean as flow_stands
from operator_actions
where subject_type = 'exception' and deed = 'probe' and acted_at <= as_of and detail->>'state' <> 'unknown'
group by subject_id;

-- judgements: one row per failure signature, and one more for its failures in an outage: the group, class and category that hold at `as_of`
-- (a person's word before an outage, an outage before the rules), and the owner rules that fit them (bit n: the n-th rule).
-- kind: what sort of exception it is: a check's own; unknown_status (no answer came to a write: it may have happened); failed_operation.
create or replace macro judgements(as_of) as table
with split as (
    select s.* exclude (group_id, outage_group_id, class, category), k.in_outage, s.class as judged_class, s.category as judged_category,
        outage_kind(availability(s.class, s.category, s.confidence)) as outage_kind,
        coalesce(h.kind, case when s.category = 'timeout' and len(o.writes) > 0 then 'unknown_status' else 'failed_operation' end) as kind,
        case when k.in_outage then s.outage_group_id else s.group_id end as group_id,
        case when k.in_outage then 'dependency' else s.class end as class_then,
        case when k.in_outage and s.category <> 'rate_limit' then 'outage' else s.category end as category_then
    from (
        from signatures
        union all by name
        select check_signature(operation, system) as signature, check_group(operation, system) as group_id, class, false as transient, category,
            1.0::double as confidence, operation as rule, to_json([why])::varchar as facts, system, operation
        from cat_checks where kind = 'stuck_flow'
    ) s
    cross join (values (false), (true)) k(in_outage)
    left join cat_checks h on h.operation = s.operation
    left join cat_operations o on o.operation = s.operation
    where not k.in_outage or outage_kind(availability(s.class, s.category, s.confidence)) is not null
),
named as (
    select s.* exclude (class_then, category_then), coalesce(g.reclassified_class, s.class_then) as class,
        coalesce(g.reclassified_category, s.category_then) as category, g.* exclude (group_id, reclassified_class, reclassified_category)
    from split s left join group_deeds(as_of) g on g.group_id = s.group_id
),
fitting as (
    select k.class, k.category, k.system, bit_or(1::bigint << r.position) as owner_rules
    from (select distinct class, category, system from named) k
    join cat_owner_rules r on concerns_verdict(r.classes, r.categories, r.systems, k.class, k.category, k.system)
    group by k.class, k.category, k.system
)
select n.*, (n.snooze->>'until')::timestamptz as snoozed_until, coalesce(f.owner_rules, 0) as owner_rules
from named n left join fitting f on f.class = n.class and f.category = n.category and f.system is not distinct from n.system;

-- dependency_answers: one row per outage whose dependency was said to be up again by the engine, with the first instant it was, as kept by `as_of`.
create or replace macro dependency_answers(as_of) as table
select detail->>'outage_id' as outage_id, (detail->>'up_at')::timestamptz as up_at
from operator_actions
where subject_type = 'dependency' and deed = 'probe' and acted_at <= as_of and detail->>'state' = 'up';

-- outages_now: one row per outage found by `as_of`, with its state then: ongoing, silent (no call since), recovering (first answers), ended.
-- ended_at_then: the first answer after the last failure, or since when the engine says that the dependency is up, whichever was first.
create or replace macro outages_now(as_of) as table
with answers as (
    select o.outage_id, min(d.up_at) as up_at
    from outages o join dependency_answers(as_of) d using (outage_id)
    where d.up_at > o.last_failed_at
    group by o.outage_id
),
ends as (
    select o.*, least(case when o.ended_at <= as_of then o.ended_at end, a.up_at) as ended_at_then
    from outages o left join answers a using (outage_id)
    where o.found_at <= as_of
)
select *,
    case
        when closed_at > as_of and as_of < ended_at_then + interval 5 minute then 'recovering'
        when ended_at_then is not null then 'ended'
        when as_of > last_failed_at + outage_after() then 'silent'
        else 'ongoing'
    end as state
from ends;

-- touched_orders: one row per exception about something that stands beside the orders, with how many it touches and what they are worth: those open at
-- `as_of` of a customer that repeats another; and those whose payload went through an interface since it lost a field and until it had it again.
-- They are touched, not held up: none of them waits for it.
create or replace macro touched_orders(as_of) as table
with beside as materialized (
    select exception_id, object_key, object_type, object_id, first_failed_at, coalesce(resolved_at, 'infinity'::timestamptz) as until_at
    from failures
    where object_type in ('customer', 'interface') and opened_at <= as_of
),
drifted as materialized (
    select b.exception_id, i.system, i.operation, b.first_failed_at, b.until_at
    from beside b
    join (select distinct system, operation from schema_drifts) i on interface_key(i.system, i.operation) = b.object_key
    where b.object_type = 'interface'
),
sent as (
    select distinct d.exception_id, coalesce(n.object_key, r.mention_key) as object_key
    from drifted d
    join payload_shapes p on p.system = d.system and p.operation = d.operation and p.sent_at between d.first_failed_at and least(d.until_at, as_of)
    join operation_runs r on r.trace_id = p.trace_id and r.span_id = p.span_id
    left join resolutions n on n.alias_key = r.mention_key
),
touched as (
    select b.exception_id, t.lead_key from beside b join timelines t on t.customer_id = b.object_id and b.object_type = 'customer'
    union
    select s.exception_id, m.lead_key from sent s join timeline_members m on m.object_key = s.object_key and m.direction <> 'up'
)
select u.exception_id, count(*) as touched_count, coalesce(sum(t.reporting_amount), 0)::decimal(18, 2) as touched_amount
from touched u
join timelines t using (lead_key)
where t.started_at <= as_of and coalesce(t.completed_at > as_of, true) and coalesce(t.cancelled_at > as_of, true)
group by u.exception_id;

-- known_failures: one row per exception, in the episode that holds at `as_of`, with its verdict, owner, lead, money and outage.
-- state: open, resolved: by a success, by hand, or by the target's own word that it has what no answer came to and nothing is left to do. A
-- shared object's failure counts the money of each order it holds up; touched_count, touched_amount: as in touched_orders. kind: as in judgements; what the target told of is no unknown status.
create or replace macro known_failures(as_of, only_ids := null::varchar[]) as table
with kinds as (
    select signature, outage_kind(availability(class, category, confidence)) as outage_kind from signatures
),
met as (
    -- outages of one system and kind never overlap
    select f.*, o.outage_id
    from (select f.*, k.outage_kind from failures f join kinds k using (signature)
        where f.opened_at <= as_of and coalesce(f.next_opened_at > as_of, true) and (only_ids is null or f.exception_id in (select unnest(only_ids)))) f
    left join (select system, kind, outage_id, first_failed_at, last_failed_at from outages where found_at <= as_of) o
        on o.system = f.system and o.kind = f.outage_kind and f.last_failed_at between o.first_failed_at and o.last_failed_at
)
select f.* exclude (outage_kind, next_opened_at, first_opened_at), f.first_opened_at,
    case when f.resolved_at <= as_of or j.resolved_by_hand_at >= f.last_failed_at or (j.kind = 'unknown_status' and a.target_state = 'present' and not a.flow_stands) then 'resolved' else 'open' end as state,
    case
        when f.resolved_at <= as_of then f.resolved_at
        when j.resolved_by_hand_at >= f.last_failed_at then j.resolved_by_hand_at
        when j.kind = 'unknown_status' and a.target_state = 'present' and not a.flow_stands then a.target_answered_at
    end as resolved_at_then,
    case when j.kind = 'unknown_status' and (a.target_state = 'absent' or a.flow_stands) then 'failed_operation' else j.kind end as kind,
    a.target_state, a.target_evidence, j.group_id, j.class, j.category, j.transient, j.confidence, j.rule, j.facts, j.acknowledged_by, j.acknowledged_at, j.assigned_team,
    j.assigned_person, j.snoozed_until, j.resolved_by_hand_at, k.* exclude (object_key, owner_rules), u.touched_count, u.touched_amount,
    first_of(j.owner_rules & k.owner_rules) as owner_position, coalesce(j.assigned_team, r.team) as owner_team,
    case when j.assigned_team is null and j.assigned_person is null then r.person else j.assigned_person end as owner_person
from met f
join judgements(as_of) j on j.signature = f.signature and j.in_outage = (f.outage_id is not null)
join object_stakes k on k.object_key = f.object_key
left join cat_owner_rules r on r.position = first_of(j.owner_rules & k.owner_rules)
left join target_answers(as_of) a on a.exception_id = f.exception_id and a.target_answered_at >= f.last_failed_at
left join touched_orders(as_of) u on u.exception_id = f.exception_id;

-- open_failures: known_failures that are open at `as_of`.
create or replace macro open_failures(as_of) as table
select * from known_failures(as_of) where state = 'open';

-- segment_path: where an order stands among like orders, widest name first. segment_name: the name of its first `depth` parts.
-- A text, for `asof join` finds nothing where a list is among its equalities (DuckDB 2.0.0).
create or replace macro segment_path(tier, product_line, region) as
    [coalesce(tier, 'no tier'), coalesce(product_line, 'no product line'), coalesce(region, 'no region')];
create or replace macro segment_name(path, depth) as array_to_string(path[:depth], ' / ');

-- clocks_at: one row per clock that has started, as what was known of its pauses at `as_of` has it.
create or replace macro clocks_at(as_of) as table
from clocks where holds_from <= as_of and (holds_until is null or holds_until > as_of);

-- standstills_at: one row per silence (a row of `silences`) that had lasted for longer at `as_of`, or when it ended by then, than like orders ever stood at that
-- milestone, with the limit of the narrowest segment that history has; like_count and segment are null where it has none, and the catalogue's own limit
-- holds. History is as it was known at that instant, and no limit is shorter than least_silence_s. A failure may explain it still.
-- limit_s: of working time of the calendar ('': around the clock). stuck_at: from when on it is too long. until_then: when it ended, null if it lasted at
-- `as_of`. with_past: also those that had ended.
create or replace macro standstills_at(as_of, with_past, only_lead := null::ubigint) as table
with counting as (  -- one row per milestone, and one for none: in which calendar what comes after it is waited for
    select milestone, stuck_calendar as calendar, counted_in, as_of::timestamptz as asked_at from cat_milestones
    union all
    select null, stuck_calendar, null, as_of::timestamptz from cat_settings
),
shortest as (
    select milestone, min(limit_s) as limit_s from silence_limits join cat_milestones using (milestone, counted_in) group by milestone
),
waiting as (
    select c.*, worked_us(o, c.asked_at) as now_us, least_silence_s(k.stuck_after_s) as least_s, k.stuck_after_s,
        greatest(least_silence_s(k.stuck_after_s), least(h.limit_s, k.stuck_after_s)) as shortest_s
    from counting c
    cross join cat_settings k
    left join shortest h on h.milestone = c.milestone
    asof left join cat_openings o on o.calendar = c.calendar and o.opens_at <= c.asked_at
),
quiet as materialized (
    select s.*, w.calendar, w.counted_in, w.least_s, w.stuck_after_s, t.tier, t.product_line, t.region,
        case when s.until_at <= as_of then s.until_at end as until_then, coalesce(until_then, as_of) as told_at,
        case when s.until_at <= as_of then s.until_us else w.now_us end as told_us
    from (from silences where from_at <= as_of and (with_past or until_at is null or until_at > as_of) and (only_lead is null or lead_key = only_lead)) s
    join timelines t using (lead_key)
    join waiting w on w.milestone is not distinct from s.milestone
    where told_us - s.since_us >= w.shortest_s * 1000000
),
fits as (
    select told_at, (select max(fitted_as_of) from (select distinct fitted_as_of from silence_limits) f where f.fitted_as_of <= d.told_at) as fitted_as_of
    from (select distinct told_at from quiet) d
),
places as (
    select distinct f.fitted_as_of, q.milestone, q.counted_in, q.tier, q.product_line, q.region from quiet q join fits f using (told_at)
),
like_orders as (
    select p.*, arg_max({'limit_s': l.limit_s, 'like_count': l.like_count, 'segment': l.segment}, d.depth) as l
    from places p
    cross join (select unnest([0, 1, 2, 3]) as depth) d
    join silence_limits l on l.fitted_as_of = p.fitted_as_of and l.milestone = p.milestone and l.counted_in = p.counted_in
        and l.segment = segment_name(segment_path(p.tier, p.product_line, p.region), d.depth)
    group by all
),
limited as (
    select q.*, greatest(coalesce(k.l.limit_s, q.stuck_after_s), q.least_s) as limit_s, k.l.like_count as like_count, k.l.segment as segment,
        q.since_us + (limit_s * 1000000)::bigint as stuck_us
    from quiet q
    join fits f using (told_at)
    left join like_orders k on k.fitted_as_of = f.fitted_as_of and k.milestone = q.milestone and k.tier is not distinct from q.tier
        and k.product_line is not distinct from q.product_line and k.region is not distinct from q.region
    where stuck_us <= q.told_us
)
select l.*, greatest(l.from_at, instant_worked_us(o, l.stuck_us)) as stuck_at
from limited l
asof join cat_openings o on o.calendar = l.calendar and o.worked_before_us < l.stuck_us
where stuck_at < l.until_then or (l.until_then is null and stuck_at <= as_of);

-- stuck_flow_id: the exception that is a timeline's standstill since one sign of progress; `operation` is the check's.
create or replace macro stuck_flow_id(operation, lead_key, since_at) as left(md5(concat_ws(chr(31), operation, lead_key::varchar, epoch_us(since_at)::varchar)), 16);

-- stuck_episodes: one row per stretch of time in which a timeline was stuck, that had begun at `as_of`: it stood after its latest milestone for longer than
-- like orders ever did, no promise ran for it, and no failure said why. One exception is all of them after one sign of progress; `episode` counts them.
-- opened_at; resolved_at: when it ended, null if it lasted at `as_of`; ended_by: what ended it: 'milestone', 'completed' (nothing more is expected) or
-- 'failure' (one says why it stands); ended_with: the same in words. message: what is found, in words.
create or replace macro stuck_episodes(as_of, only_lead := null::ubigint) as table
with standing as materialized (
    from standstills_at(as_of, true, only_lead)
),
closed as (
    -- what people, or a target's own word, have closed though no success was seen explains no silence
    select s.signature, max(g.resolved_by_hand_at) as closed_at
    from (select signature, unnest([group_id, outage_group_id]) as group_id from signatures) s
    join group_deeds(as_of) g using (group_id)
    where g.resolved_by_hand_at is not null
    group by s.signature
),
failing as (
    select s.lead_key, s.since_at, s.stuck_at, f.opened_at as begins_at, f.sentence,
        coalesce(least(f.next_opened_at, f.resolved_at, case when c.closed_at >= f.last_failed_at then c.closed_at end,
            case when a.target_state = 'present' and not a.flow_stands then a.target_answered_at end), 'infinity'::timestamptz) as ends_at
    from standing s
    join timeline_members m on m.lead_key = s.lead_key and m.direction <> 'up'
    join failures f on f.object_key = m.object_key
    left join closed c on c.signature = f.signature
    left join target_answers(as_of) a on a.exception_id = f.exception_id and a.target_answered_at >= f.last_failed_at
    where f.opened_at <= as_of
),
-- what ends a standstill: its own end, and failures while it lasts
ends as (
    select lead_key, since_at, stuck_at, coalesce(until_then, 'infinity'::timestamptz) as begins_at, 'infinity'::timestamptz as ends_at,
        case when moved_to is null then 'completed' else 'milestone' end as ended_by, moved_to as ended_with
    from standing
    union all
    select lead_key, since_at, stuck_at, begins_at, ends_at, 'failure', sentence from failing where begins_at < ends_at and ends_at > stuck_at
),
stretches as (
    select lead_key, since_at, coalesce(greatest(stuck_at, max(ends_at) over before), stuck_at) as opened_at, begins_at, ended_by, ended_with
    from ends
    window before as (
        partition by lead_key, since_at order by begins_at, ended_by = 'failure', ends_at, ended_with rows between unbounded preceding and 1 preceding
    )
),
stuck as (
    select * exclude (begins_at), case when begins_at <= as_of then begins_at end as resolved_at,
        (row_number() over (partition by lead_key, since_at order by opened_at))::integer as episode
    from stretches
    where opened_at <= as_of and opened_at < begins_at
)
select stuck_flow_id(h.operation, e.lead_key, e.since_at) as exception_id, h.operation, h.system,
    e.* exclude (ended_by, ended_with), min(e.opened_at) over (partition by e.lead_key, e.since_at) as first_opened_at,
    case when e.resolved_at is not null then e.ended_by end as ended_by,
    case when e.resolved_at is not null then case e.ended_by
        when 'milestone' then 'it moved on: ' || coalesce(m.label, e.ended_with)
        when 'completed' then 'nothing more is expected'
        else 'a failure says why: ' || e.ended_with
    end end as ended_with,
    concat(t.lead_id, case when e.resolved_at is null then ' is ' else ' was ' end, h.label, case when s.like_count is not null
        then ', for longer than 99 in 100 of ' || format('{:,}', s.like_count) || ' like orders' || coalesce(' (' || nullif(s.segment, '') || ')', '') end) as message
from stuck e
join standing s on s.lead_key = e.lead_key and s.since_at = e.since_at
join timelines t on t.lead_key = e.lead_key
join cat_checks h on h.milestone is not distinct from s.milestone and h.kind = 'stuck_flow'
left join cat_milestones m on e.ended_by = 'milestone' and m.milestone = e.ended_with;

-- stuck_flows: one row per timeline and sign of progress after which it was stuck by `as_of` (as timeline_states has it), as an exception, in the episode that
-- holds then. It is resolved by what ended the silence. Columns as known_failures, those of a failed call left out, and ended_by, ended_with of stuck_episodes.
create or replace macro stuck_flows(as_of, only_lead := null::ubigint) as table
with stuck as materialized (
    select e.*, t.lead_type, t.lead_id, t.lead_scope, t.customer_id, t.customer_name, t.reporting_amount, t.region, t.legal_entity, t.product_line
    from (from stuck_episodes(as_of, only_lead) qualify episode = max(episode) over (partition by lead_key, since_at)) e
    join timelines t using (lead_key)
),
owned as (
    select s.lead_key, bit_or(1::bigint << r.position) as owner_rules
    from stuck s
    join cat_owner_rules r on concerns_stake(r.legal_entities, r.regions, r.customers, r.min_amount, s.legal_entity, s.region, s.customer_id, s.reporting_amount)
    group by s.lead_key
),
judged as (
    select s.exception_id, s.episode, s.operation, s.lead_key as object_key, s.lead_type as object_type, s.lead_id as object_id, s.system, s.opened_at,
        s.opened_at as last_failed_at, s.since_at as first_failed_at, s.first_opened_at, 1::bigint as attempt_count, 0::bigint as retry_count, j.signature,
        s.message, check_sentence(s.message) as sentence,
        case when s.resolved_at is not null or j.resolved_by_hand_at >= s.opened_at then 'resolved' else 'open' end as state,
        coalesce(s.resolved_at, case when j.resolved_by_hand_at >= s.opened_at then j.resolved_by_hand_at end) as resolved_at_then, s.ended_by, s.ended_with,
        j.kind, j.group_id, j.class, j.category, j.transient, j.confidence, j.rule, j.facts, j.acknowledged_by, j.acknowledged_at, j.assigned_team, j.assigned_person,
        j.snoozed_until, j.resolved_by_hand_at, s.lead_scope as object_scope, s.lead_key, s.lead_type, s.lead_id, s.lead_scope, 1::bigint as lead_count, s.customer_id, s.customer_name,
        s.reporting_amount as blocked_amount, s.region, s.legal_entity, s.product_line, first_of(j.owner_rules & coalesce(o.owner_rules, 0)) as owner_position
    from stuck s
    join judgements(as_of) j on j.signature = check_signature(s.operation, s.system) and not j.in_outage
    left join owned o on o.lead_key = s.lead_key
)
select g.*, coalesce(g.assigned_team, r.team) as owner_team,
    case when g.assigned_team is null and g.assigned_person is null then r.person else g.assigned_person end as owner_person
from judged g left join cat_owner_rules r on r.position = g.owner_position;

-- stuck_of_group: the stuck_flows of a group; nothing is derived where it is no group of stuck flows.
create or replace macro stuck_of_group(as_of, of_group) as table
from stuck_flows(as_of, only_lead := case when of_group in (select check_group(operation, system) from cat_checks where kind = 'stuck_flow') then null::ubigint else 0 end)
where group_id = of_group;

-- known_exceptions: known_failures and stuck_flows. A question that filters what they say reads the columns it needs as a materialized part first:
-- else the planner takes the failures for few and builds its tables on the wide side.
create or replace macro known_exceptions(as_of) as table
from known_failures(as_of) union all by name from stuck_flows(as_of);

-- group_states: one row per group with an exception known at `as_of`: figures, owner, and its state then. Amounts in reporting currency.
-- held: the orders that its open exceptions hold up, once for each, as {lead_key, amount}.
-- state: resolved (none is open), snoozed (until an instant, a count, an amount or an answer), new (first seen within a day), regressed (one in
-- five or more of the open ones had succeeded before, or was resolved by hand), escalating (a day as bad as more than two of the week
-- before), ongoing.
-- owner: who a person assigned; else, once nobody has answered for the rule's working time, whom it escalates to; else the rule's own.
create or replace macro group_states(as_of, only_group := null) as table
with figures as (
    select group_id,
        count(*) filter (state = 'open') as open_count, count(*) filter (state = 'resolved') as resolved_count,
        count(distinct lead_key) filter (state = 'open') as order_count, count(distinct customer_id) filter (state = 'open') as customer_count,
        coalesce(sum(blocked_amount) filter (state = 'open'), 0)::decimal(18, 2) as blocked_amount,
        list({'lead_key': lead_key, 'amount': blocked_amount}) filter (state = 'open' and lead_key is not null) as held,
        -- an order has one customer, but goes through several interfaces: of these the one that touches most counts
        coalesce(sum(case when object_type = 'customer' then touched_count end) filter (state = 'open'), max(touched_count) filter (state = 'open'))::bigint as touched_count,
        coalesce(sum(case when object_type = 'customer' then touched_amount end) filter (state = 'open'), max(touched_amount) filter (state = 'open'))::decimal(18, 2) as touched_amount,
        min(opened_at) filter (state = 'open') as oldest_failed_at, min(first_opened_at) as first_seen_at, max(last_failed_at) as last_failed_at,
        sum(attempt_count) filter (state = 'open')::bigint as attempt_count,
        count(*) filter (opened_at > as_of - interval 1 day) as day_count,
        count(*) filter (opened_at > as_of - interval 7 day and opened_at <= as_of - interval 1 day) as week_before_count,
        count(*) filter (state = 'open' and (episode > 1 or resolved_by_hand_at < last_failed_at)) as regressed_count,
        mode(owner_position) filter (state = 'open') as owner_position, max(outage_id) filter (state = 'open') as outage_id,
        max(kind) filter (state = 'open') as open_kind  -- a group is of one kind, but for unknown statuses of which some have been told of
    from known_exceptions(as_of)
    where only_group is null or group_id = only_group
    group by group_id
),
called as (
    select group_id, any_value(class) as class, any_value(kind) as kind, mode(category) as category, any_value(system) as system, any_value(operation) as operation,
        bool_or(transient) as transient, max(confidence) as confidence, arg_max(rule, confidence) as rule, arg_max(facts, confidence) as facts,
        any_value(acknowledged_by) as acknowledged_by, any_value(acknowledged_at) as acknowledged_at, any_value(assigned_team) as assigned_team,
        any_value(assigned_person) as assigned_person, any_value(snooze) as snooze, any_value(snoozed_at) as snoozed_at, any_value(snoozed_until) as snoozed_until,
        any_value(resolved_by_hand_at) as resolved_by_hand_at, any_value(answered_at) as answered_at, any_value(tags) as tags, any_value(ticket) as ticket,
        any_value(note_count) as note_count
    from judgements(as_of)
    where only_group is null or group_id = only_group
    group by group_id
),
answers as (
    select system, max(ended_at) as answered_at
    from operation_runs
    where not is_error and ended_at <= as_of and system in (select system from called where snooze->>'healthy' = 'true')
    group by system
),
waiting as (
    select f.group_id, r.escalate_calendar as calendar, r.escalate_after_s as after_s, r.escalate_team, r.escalate_person, f.oldest_failed_at
    from figures f
    join called c using (group_id)
    join cat_owner_rules r on r.position = f.owner_position
    where r.escalate_after_s is not null and f.open_count > 0 and (c.answered_at is null or c.answered_at < f.oldest_failed_at)
),
placed as (
    select w.*, coalesce(o.worked_before_s + least(epoch(w.oldest_failed_at) - epoch(o.opens_at), epoch(o.closes_at) - epoch(o.opens_at)), 0) + w.after_s as target_s
    from waiting w asof left join cat_openings o on o.calendar = w.calendar and o.opens_at <= w.oldest_failed_at
),
escalations as (
    select p.group_id, p.escalate_team, p.escalate_person, o.opens_at + to_microseconds(round((p.target_s - o.worked_before_s) * 1000000)::bigint) as escalates_at
    from placed p asof left join cat_openings o on o.calendar = p.calendar and o.worked_before_s < p.target_s
),
standing as (
    select c.* exclude (group_id, kind), f.* exclude (open_kind), coalesce(f.open_kind, c.kind) as kind, e.escalates_at, r.team as rule_team, r.person as rule_person, e.escalate_team, e.escalate_person,
        c.assigned_team is null and c.assigned_person is null and coalesce(e.escalates_at <= as_of, false) as is_escalated,
        c.snooze is not null and coalesce(c.snoozed_until > as_of, true) and coalesce(f.open_count < (c.snooze->>'count')::bigint, true)
            and coalesce(f.blocked_amount < (c.snooze->>'amount')::decimal(18, 2), true)
            and (coalesce(c.snooze->>'healthy', 'false') = 'false' or not coalesce(a.answered_at > c.snoozed_at, false)
                or c.system in (select system from outages_now(as_of) where state = 'ongoing')) as is_snoozed
    from figures f
    join called c using (group_id)
    left join cat_owner_rules r on r.position = f.owner_position
    left join escalations e on e.group_id = f.group_id
    left join answers a on a.system = c.system
)
select * exclude (rule_team, rule_person, escalate_team, escalate_person, is_snoozed),
    coalesce(assigned_team, case when is_escalated then escalate_team end, rule_team) as owner_team,
    case when assigned_team is not null or assigned_person is not null then assigned_person when is_escalated then escalate_person else rule_person end as owner_person,
    case
        when open_count = 0 then 'resolved'
        when is_snoozed then 'snoozed'
        when first_seen_at > as_of - interval 1 day then 'new'
        when regressed_count * 5 >= open_count then 'regressed'
        when day_count >= 5 and day_count * 3 > week_before_count then 'escalating'
        else 'ongoing'
    end as state
from standing;
