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

-- replay_plans: one row per frozen plan. `hash` covers the items; execution names it.
create table replay_plans (
    plan_id varchar primary key,
    hash varchar not null,
    created_at timestamptz not null,
    created_by varchar not null,
    reason varchar not null,
    state varchar not null,
    patch varchar,
    from_step varchar
);

-- replay_items: one row per item of a plan, as frozen; the outcome columns are the only ones that move, and only forward.
create table replay_items (
    plan_id varchar not null,
    item_no integer not null,
    exception_id varchar not null,
    group_id varchar,
    operation varchar not null,
    object_type varchar not null,
    object_id varchar not null,
    object_key ubigint not null,
    trace_id varchar not null,
    span_id varchar not null,
    episode integer not null,
    milestone varchar,
    amount decimal(18, 4),
    currency varchar,
    decision varchar not null,
    why varchar not null,
    writes varchar not null,
    idempotency_key varchar not null,
    replay_id varchar not null,
    outcome varchar not null,
    detail varchar,
    sent_at timestamptz,
    settled_at timestamptz,
    primary key (plan_id, item_no)
);

-- replay_ledger: the exactly-once guard. The key is reserved here before any call leaves the house.
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
