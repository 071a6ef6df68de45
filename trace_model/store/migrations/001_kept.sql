-- The two kept records, append-only, and the ledgers that belong to them. Everything else is derived (derived.sql).

-- spans: one row per OTLP span, as received. `seq` is the order of recording.
create table spans (
    seq bigint not null,
    trace_id uuid not null,
    span_id ubigint not null,
    parent_span_id ubigint,
    name varchar not null,
    kind utinyint not null,
    service varchar not null,
    scope varchar,
    start_unix_ns bigint not null,
    end_unix_ns bigint not null,
    status_code utinyint not null,
    status_message varchar,
    trace_state varchar,
    attributes varchar not null,
    resource varchar not null,
    events varchar,
    links varchar,
    source varchar not null,
    received_at timestamptz not null
);

-- traces: one row per trace; every span of it has first_seq <= seq <= last_seq, so look-backs read only that stretch.
create table traces (
    trace_id uuid primary key,
    first_seq bigint not null,
    last_seq bigint not null
);

-- operator_actions: one row per deed of a person or of a worker acting for one. Each row's hash covers the one before.
create table operator_actions (
    action_no bigint primary key,
    acted_at timestamptz not null,
    actor varchar not null,
    deed varchar not null,
    subject_type varchar not null,
    subject_id varchar not null,
    reason varchar not null,
    detail varchar not null,
    previous_hash varchar not null,
    hash varchar not null
);

-- replay_plans: one row per frozen plan. `hash` covers the items; every move names it. Amounts in the reporting currency.
create table replay_plans (
    plan_id varchar primary key,
    hash varchar not null,
    state varchar not null,
    created_at timestamptz not null,
    created_by varchar not null,
    reason varchar not null,
    needs_approval boolean not null,
    patch varchar,
    from_step varchar,
    data_fixed boolean not null,
    executed_by varchar,
    executed_at timestamptz,
    approved_by varchar,
    approved_at timestamptz,
    approved_until timestamptz,
    state_reason varchar,
    canary_from integer not null
);

-- replay_items: one row per item of a plan, as frozen, in the order of sending. The columns from `outcome` on are the only
-- ones that move, and outcomes only forward (trace_model/replays.py). `sent_seq` bounds where its evidence is looked for.
create table replay_items (
    plan_id varchar not null,
    item_no integer not null,
    exception_id varchar not null,
    group_id varchar,
    object_type varchar not null,
    object_id varchar not null,
    object_key ubigint not null,
    operation varchar not null,
    system varchar,
    engine varchar,
    episode integer not null,
    trace_id varchar not null,
    span_id varchar not null,
    signature varchar not null,
    milestone varchar,
    object_version varchar,
    amount decimal(18, 4),
    currency varchar,
    due_at timestamptz,
    decision varchar not null,
    why varchar not null,
    writes varchar[] not null,
    idempotency_key varchar not null,
    replay_id varchar not null,
    requires_absent boolean not null,
    outcome varchar not null,
    detail varchar,
    run_id varchar,
    tries integer not null,
    not_before timestamptz,
    sent_at timestamptz,
    sent_seq bigint,
    settled_at timestamptz
);

-- replay_ledger: the exactly-once guard. The key is reserved here, durably, before any call leaves the house. A row goes
-- only when the engine has said that it did not take the call.
create table replay_ledger (
    idempotency_key varchar primary key,
    plan_id varchar not null,
    item_no integer not null,
    reserved_at timestamptz not null
);

-- projection_state: one row. What has been projected, and by which catalogue and projection.
create table projection_state (
    projected_seq bigint not null,
    catalogue_hash varchar not null,
    projection_hash varchar not null
);
insert into projection_state values (0, '', '');
