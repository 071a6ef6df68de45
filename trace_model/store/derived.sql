-- Derived tables: replaced wholesale for whatever a batch touches, dropped and rebuilt when catalogue or projection change.
-- Columns are those of the file of the same name in projection/, in the same order. No indexes: deletes stay cheap and
-- checkpoints can reclaim. `seq` columns only bound look-backs; they are never shown and never compared.

create or replace table resolutions (alias_key ubigint, object_key ubigint, canonical_count bigint);
create or replace table objects (
    object_key ubigint, object_type varchar, object_id varchar, scope varchar, system varchar, first_seen_at timestamptz,
    last_seen_at timestamptz, amount decimal(18, 4), currency varchar, quantity decimal(18, 4), region varchar,
    product_line varchar, legal_entity varchar, tier varchar, workflow varchar, customer_id varchar, customer_name varchar,
    object_version varchar, first_seq bigint
);
create or replace table object_correlations (object_key ubigint, object_type varchar, correlation_key ubigint);
create or replace table object_milestones (
    object_key ubigint, milestone varchar, reached_at timestamptz, amount decimal(18, 4), currency varchar,
    quantity decimal(18, 4), system varchar, trace_id uuid, span_id ubigint
);
create or replace table links (
    child_key ubigint, child_type varchar, parent_key ubigint, parent_type varchar, kind varchar, source varchar,
    confidence decimal(3, 2), amount decimal(18, 4), quantity decimal(18, 4), seen_at timestamptz, share double,
    share_from double, share_until double, is_allocating boolean
);
create or replace table object_warnings (object_key ubigint, kind varchar, detail varchar);
create or replace table failures (
    exception_id varchar, episode integer, operation varchar, object_key ubigint, object_type varchar, object_id varchar,
    system varchar, dependency varchar, opened_at timestamptz, last_failed_at timestamptz, resolved_at timestamptz, first_failed_at timestamptz,
    attempt_count bigint, retry_count bigint, outcome varchar, error_code varchar, exception varchar, http_status integer,
    message varchar, endpoint varchar, trace_id uuid, span_id ubigint, replay_id varchar, signature varchar, sentence varchar,
    next_opened_at timestamptz, first_opened_at timestamptz
);
create or replace table timeline_members (
    lead_key ubigint, object_key ubigint, object_type varchar, depth integer, direction varchar, share double,
    amount decimal(18, 4), quantity decimal(18, 4), parts struct("from" double, until double)[]
);
create or replace table timelines (
    lead_key ubigint, lead_type varchar, lead_id varchar, lead_scope varchar, customer_id varchar, customer_name varchar, amount decimal(18, 4),
    currency varchar, reporting_amount decimal(18, 2), quantity decimal(18, 4), region varchar, product_line varchar,
    legal_entity varchar, tier varchar, workflow varchar, started_at timestamptz, last_progress_at timestamptz,
    last_milestone varchar, completed_at timestamptz, cancelled_at timestamptz, stuck_at timestamptz
);
create or replace table timeline_milestones (
    lead_key ubigint, milestone varchar, reached_at timestamptz, complete_at timestamptz, last_at timestamptz, undone_at timestamptz,
    covered_amount decimal(18, 4), covered_quantity decimal(18, 4), coverage varchar
);
create or replace table object_pause_signs (object_key ubigint, pause varchar, is_opening boolean, said_at timestamptz, system varchar);
create or replace table timeline_pauses (
    lead_key ubigint, pause varchar, from_at timestamptz, until_at timestamptz, opened_by varchar, closed_by varchar
);
create or replace table object_stakes (
    object_key ubigint, object_scope varchar, lead_key ubigint, lead_type varchar, lead_id varchar, lead_scope varchar, lead_count bigint, customer_id varchar, customer_name varchar,
    blocked_amount decimal(18, 2), region varchar, legal_entity varchar, product_line varchar, owner_rules bigint
);
create or replace table clocks (
    lead_key ubigint, promise varchar, variant varchar, started_at timestamptz, holds_from timestamptz, holds_until timestamptz,
    at_risk_at timestamptz, due_at timestamptz, paused_by varchar, stopped_at timestamptz, target_s double,
    segment struct(region varchar, product_line varchar, legal_entity varchar, tier varchar, workflow varchar)
);
create or replace table silences (
    lead_key ubigint, milestone varchar, since_at timestamptz, from_at timestamptz, until_at timestamptz, moved_to varchar, since_us bigint, until_us bigint
);
create or replace table payload_releases (
    system varchar, operation varchar, release varchar, first_sent_at timestamptz, release_before varchar, judged_from_at timestamptz,
    judged_until_at timestamptz
);
create or replace table schema_drifts (
    system varchar, operation varchar, release varchar, release_before varchar, path varchar, type varchar, now_type varchar,
    first_sent_at timestamptz, opened_at timestamptz, resolved_at timestamptz, trace_id uuid, span_id ubigint
);
create or replace table payload_comparisons (
    lead_key ubigint, object_key ubigint, hop varchar, system varchar, object_version varchar, sent_at timestamptz, trace_id uuid, span_id ubigint,
    from_hop varchar, from_object_key ubigint, from_at timestamptz, from_trace_id uuid, from_span_id ubigint,
    fields struct(field varchar, from_value varchar, to_value varchar, state varchar)[], is_different boolean
);
-- signatures: one row per distinct failure signature, judged once by trace_model.signatures (pure), kept until the catalogue changes.
create or replace table signatures (
    signature varchar, group_id varchar, class varchar, transient boolean, category varchar, confidence double, rule varchar,
    facts varchar, outage_group_id varchar, system varchar, operation varchar
);
create or replace table outages (
    outage_id varchar, system varchar, kind varchar, started_at timestamptz, first_failed_at timestamptz, found_at timestamptz,
    last_failed_at timestamptz, ended_at timestamptz, closed_at timestamptz, failed_run_count bigint, failed_call_count bigint,
    answered_count bigint
);

-- expects: whether a milestone or a variant of a promise (a row of cat_milestones, cat_promise_variants) is for an order (a row of timelines or objects)
-- of that segment: where it names regions, product lines and so on, the order is of one of them. A milestone with `expected = 'always'` is then a step
-- of that order's declared path.
create or replace macro expects(c, t) as (len(c.regions) = 0 or list_contains(c.regions, t.region))
    and (len(c.product_lines) = 0 or list_contains(c.product_lines, t.product_line))
    and (len(c.legal_entities) = 0 or list_contains(c.legal_entities, t.legal_entity))
    and (len(c.tiers) = 0 or list_contains(c.tiers, t.tier))
    and (len(c.workflows) = 0 or list_contains(c.workflows, t.workflow));

-- availability: what a failure says of the system called: it did not answer, it limits how fast we may call, it answered, or that is unclear
-- (nothing is known of the failure, or the verdict is no more than a guess).
create or replace macro availability(class, category, confidence) as case
    when category in ('outage', 'timeout') then 'unavailable'
    when category = 'rate_limit' then 'throttled'
    when class = 'unknown' or category = 'internal_error' or confidence < 0.6 then 'unclear'
    else 'answered'
end;

-- outage_kind: the kind of outage that a failure of such availability is part of; null: of none.
create or replace macro outage_kind(availability_said) as case
    when availability_said in ('unavailable', 'unclear') then 'downtime'
    when availability_said = 'throttled' then 'throttling'
end;

-- outage_before, outage_after: how far before and after a failed run the answers stand that say whether it was an outage's. Runs further apart than both
-- together are never of one outage.
create or replace macro outage_before() as interval 10 minute;
create or replace macro outage_after() as interval 2 hour;

-- worked_us: the working time of a calendar until an instant, in microseconds since its first opening. o: its last opening (a row of cat_openings) by then.
-- A calendar called '' is around the clock.
create or replace macro worked_us(o, at_instant) as o.worked_before_us + epoch_us(least(at_instant, o.closes_at)) - epoch_us(o.opens_at);
-- instant_worked_us: the instant at which a calendar has worked for so many microseconds; null where its openings end before. o: its last opening with
-- fewer of them before it.
create or replace macro instant_worked_us(o, us) as case
    when us - o.worked_before_us <= epoch_us(o.closes_at) - epoch_us(o.opens_at) then o.opens_at + to_microseconds((us - o.worked_before_us)::bigint)
end;

-- least_silence_s: silence that is shorter is no standstill, however fast like orders are: pollers and nightly batches are not heard of all the time.
create or replace macro least_silence_s(stuck_after_s) as least(3600, stuck_after_s);

-- warnings: one row per doubt that stands, on the object it concerns now (null: none known) and, where one trace raised it, that trace.
create or replace view warnings as
select w.trace_id, coalesce(r.object_key, w.mention_key) as object_key, w.kind, w.detail, w.span_count
from trace_warnings w left join resolutions r on r.alias_key = w.mention_key
union all
select null, object_key, kind, detail, null from object_warnings
union all
select null, alias_key, 'ambiguous_alias', 'this id was seen with ' || canonical_count || ' different objects', null
from resolutions where object_key is null;

-- check_signature, check_group, check_sentence: a check judges for itself, by what it is and where; what it found is its sentence.
create or replace macro check_signature(operation, system) as md5(concat_ws(chr(31), 'check', operation, system));
create or replace macro check_group(operation, system) as left(md5(concat_ws(chr(31), 'check group', operation, system)), 16);
create or replace macro check_sentence(message) as upper(message[1]) || message[2:] || '.';

-- shape_path, shape_type: a field of a payload's shape (a row of json_tree over json_structure): its path, $.lines[0].sku as lines[].sku, and what it is.
create or replace macro shape_path(fullkey) as replace(fullkey, '[0]', '[]')[3:];
create or replace macro shape_type(node_type, atom) as case
    when node_type = 'OBJECT' then 'object'
    when node_type = 'ARRAY' then 'list'
    when atom in ('"BIGINT"', '"UBIGINT"', '"HUGEINT"', '"DOUBLE"') then 'number'
    when atom = '"VARCHAR"' then 'text'
    else lower(trim(atom::varchar, '"'))
end;

-- interface_key: the key of what an exception about an operation's payloads is on: no business object, but the interface.
create or replace macro interface_key(system, operation) as md5_number_lower(concat_ws(chr(31), 'interface', system, operation));

-- is_stored: whether a row's place (its rowid) is in the table as stored; what this very transaction wrote stands far beyond. A filter of stored
-- places alone passes exact rows; one that spans both lets wrong ones by, and with them nearly every block of the table is read.
-- The bound is DuckDB's own for rows not yet committed. Both sides are always read, so where it lies decides what a read costs, never what it finds.
create or replace macro is_stored(place) as place < 36028797018960000;

-- bystander_types: object types that join no timeline and have one id only. A customer stands beside thousands of orders: it has what
-- was first said of it, and is not derived from all of it again whenever one of them moves.
create or replace view bystander_types as
select object_type from cat_object_types
where not traversed and object_type not in (select object_type from cat_id_paths where role = 'alias');

-- holds_for_order, promise_holds: whether a variant of a promise (a row of cat_promise_variants) is made to an order (a row of timelines), dates apart;
-- the first: where it is made to orders of that segment.
create or replace macro holds_for_order(v, t) as
    (len(v.customers) = 0 or list_contains(v.customers, t.customer_id))
    and (v.min_amount is null or t.reporting_amount >= v.min_amount)
    and (v.below_amount is null or t.reporting_amount < v.below_amount);
create or replace macro promise_holds(v, t) as expects(v, t) and holds_for_order(v, t);

-- minor_digits: the decimals of a currency's smallest unit (ISO 4217).
create or replace macro minor_digits(currency) as case
    when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
    else 2
end;

-- allotted_until: `whole` up to the point `at` (0..1), to `digits` decimals; exact at both ends.
create or replace macro allotted_until(whole, at_point, digits) as case
    when at_point <= 0 then 0.0::double
    when at_point >= 1 then whole::double
    else round(whole::double * at_point, digits)
end;

-- allotted: the `parts` of `whole` (null: all of it), to `digits` decimals. Parts that cover the whole add up to it exactly, since
-- neighbours round the point where they meet alike; each is less than one smallest unit from its exact share.
create or replace macro allotted(whole, parts, digits) as case
    when whole is null or parts is null then whole::decimal(18, 4)
    else coalesce(
        list_sum(list_transform(parts, lambda p: allotted_until(whole, p.until, digits) - allotted_until(whole, p."from", digits))),
        0.0)::decimal(18, 4)
end;

-- covered_part: how much of an order (lead_amount, lead_quantity) a milestone that `covers` the one or the other covers (1 is all), by what was reached so
-- far less what was taken back, and what a milestone lessened of what there is to cover: null where that is not measured.
create or replace macro covered_part(covers, lead_amount, lead_quantity, amount, quantity, lessened, was_undone) as case
    when covers = 'amount' and lead_amount > 0 and lessened > 0 then greatest(
        coalesce(amount, 0) / lead_amount,
        case
            when lead_amount - lessened > lead_amount * 0.005 then least(coalesce(amount, 0) / (lead_amount - lessened), 1)
            when was_undone then 0
            else 1
        end)
    when covers = 'amount' and lead_amount > 0 then amount / lead_amount
    when covers = 'quantity' and lead_quantity > 0 then quantity / lead_quantity
end;
-- coverage_of: the word for a part that is covered; half a per cent more or less is a rounding.
create or replace macro coverage_of(part) as case
    when part > 1.005 then 'over'
    when part >= 0.995 then 'complete'
    when part > 0 then 'partial'
    else 'none'
end;

-- operator_links: one row per link between two objects that a person made and nobody took back, under the keys they had then.
create or replace view operator_links as
select (detail->'child'->>'key')::ubigint as child_key, detail->'child'->>'type' as child_type,
    (detail->'parent'->>'key')::ubigint as parent_key, detail->'parent'->>'type' as parent_type,
    acted_at as seen_at, actor, reason
from (
    select * exclude (detail), detail::json as detail, row_number() over (partition by subject_id order by action_no desc) as age
    from (select action_no, acted_at, actor, deed, subject_id, reason, detail from operator_actions where subject_type = 'link')
)
where age = 1 and deed = 'link';

-- concerns_verdict, concerns_stake: whether an owner rule fits what a failure is, and whom and how much it concerns. An empty list fits all.
create or replace macro concerns_verdict(rule_classes, rule_categories, rule_systems, class, category, system) as
    (len(rule_classes) = 0 or list_contains(rule_classes, class)) and (len(rule_categories) = 0 or list_contains(rule_categories, category))
    and (len(rule_systems) = 0 or list_contains(rule_systems, system));
create or replace macro concerns_stake(rule_legal_entities, rule_regions, rule_customers, rule_min_amount, legal_entity, region, customer_id, amount) as
    (len(rule_legal_entities) = 0 or coalesce(list_contains(rule_legal_entities, legal_entity), false))
    and (len(rule_regions) = 0 or coalesce(list_contains(rule_regions, region), false))
    and (len(rule_customers) = 0 or coalesce(list_contains(rule_customers, customer_id), false))
    and (rule_min_amount is null or coalesce(amount >= rule_min_amount, false));

-- first_of: the position of the first rule in a set of them (bit 0 is the first); null: the set is empty.
create or replace macro first_of(rule_set) as case when rule_set > 0 then bit_count(xor(rule_set, rule_set - 1)) - 1 end;
