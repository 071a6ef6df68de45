-- Derived tables: replaced wholesale for whatever a batch touches, dropped and rebuilt when catalogue or projection change.
-- Columns are those of the file of the same name in projection/, in the same order. No indexes: deletes stay cheap and
-- checkpoints can reclaim. `seq` columns only bound look-backs; they are never shown and never compared.

create or replace table object_facts (
    trace_id uuid, span_id ubigint, seq bigint, mention_key ubigint, object_type varchar, object_id varchar, scope varchar,
    via varchar, is_subject boolean, system varchar, started_at timestamptz, ended_at timestamptz, milestone varchar,
    is_error boolean, amount decimal(18, 4), currency varchar, quantity decimal(18, 4), region varchar, product_line varchar,
    legal_entity varchar, tier varchar, workflow varchar, customer_id varchar, customer_name varchar, object_version varchar,
    correlation_key ubigint
);
create or replace table alias_facts (
    trace_id uuid, span_id ubigint, seq bigint, alias_key ubigint, canonical_key ubigint, alias_system varchar, alias_id varchar
);
create or replace table link_facts (
    trace_id uuid, span_id ubigint, seq bigint, child_key ubigint, child_type varchar, parent_key ubigint, parent_type varchar,
    kind varchar, source varchar, confidence decimal(3, 2), amount decimal(18, 4), quantity decimal(18, 4), seen_at timestamptz
);
create or replace table operation_runs (
    trace_id uuid, span_id ubigint, seq bigint, operation varchar, mention_key ubigint, system varchar, dependency varchar,
    started_at timestamptz, ended_at timestamptz, is_error boolean, attempt integer, outcome varchar, replay_id varchar,
    retry_count bigint, error_code varchar, exception varchar, http_status integer, message varchar, endpoint varchar
);
create or replace table trace_stitching (
    trace_id uuid, seq bigint, system varchar, hour timestamptz, evidence varchar, correlation_key ubigint, span_count bigint
);
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
    confidence decimal(3, 2), amount decimal(18, 4), quantity decimal(18, 4), seen_at timestamptz, share double
);
create or replace table failures (
    exception_id varchar, episode integer, operation varchar, object_key ubigint, object_type varchar, object_id varchar,
    system varchar, dependency varchar, opened_at timestamptz, last_failed_at timestamptz, resolved_at timestamptz,
    attempt_count bigint, retry_count bigint, outcome varchar, error_code varchar, exception varchar, http_status integer,
    message varchar, endpoint varchar, trace_id uuid, span_id ubigint, replay_id varchar, signature varchar
);
create or replace table timeline_members (
    lead_key ubigint, object_key ubigint, object_type varchar, depth integer, direction varchar, share double
);
create or replace table timelines (
    lead_key ubigint, lead_type varchar, lead_id varchar, customer_id varchar, customer_name varchar, amount decimal(18, 4),
    currency varchar, reporting_amount decimal(18, 2), quantity decimal(18, 4), region varchar, product_line varchar,
    legal_entity varchar, tier varchar, workflow varchar, started_at timestamptz, last_progress_at timestamptz,
    stuck_at timestamptz, completed_at timestamptz, cancelled_at timestamptz
);
create or replace table timeline_milestones (
    lead_key ubigint, milestone varchar, reached_at timestamptz, complete_at timestamptz, last_at timestamptz, undone_at timestamptz,
    covered_amount decimal(18, 4), covered_quantity decimal(18, 4), coverage varchar
);
create or replace table clocks (
    lead_key ubigint, promise varchar, started_at timestamptz, at_risk_at timestamptz, due_at timestamptz, stopped_at timestamptz
);
-- signatures: one row per distinct failure signature, judged once by trace_model.signatures (pure), kept until the catalogue changes.
create or replace table signatures (
    signature varchar, group_id varchar, class varchar, transient boolean, category varchar, confidence double, rule varchar,
    facts varchar, sentence varchar, title varchar
);
