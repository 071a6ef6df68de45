-- Derived tables of the trace grain: what each span says, read by the catalogue. Replaced by trace for whatever a batch touches; dropped and read again
-- when the projection changes, or what the catalogue reads from spans (facts_hash); else they stand, and what is derived.sql's is made anew from them.
-- As in derived.sql: columns are those of the file of the same name in projection/, in the same order, and there are no indexes. `seq` columns only
-- bound look-backs; they are never shown and never compared.

create or replace table object_facts (
    trace_id uuid, span_id ubigint, seq bigint, mention_key ubigint, object_type varchar, object_id varchar, scope varchar,
    via varchar, is_subject boolean, system varchar, started_at timestamptz, ended_at timestamptz, milestone varchar,
    is_error boolean, amount decimal(18, 4), currency varchar, quantity decimal(18, 4), region varchar, product_line varchar,
    legal_entity varchar, tier varchar, workflow varchar, customer_id varchar, customer_name varchar, object_version varchar,
    correlation_key ubigint, run_name varchar, pause_word varchar
);
create or replace table alias_facts (
    trace_id uuid, span_id ubigint, seq bigint, alias_key ubigint, canonical_key ubigint, alias_system varchar, alias_id varchar,
    scope varchar, seen_at timestamptz, object_version varchar
);
create or replace table link_facts (
    trace_id uuid, span_id ubigint, seq bigint, child_key ubigint, child_type varchar, parent_key ubigint, parent_type varchar,
    kind varchar, source varchar, confidence decimal(3, 2), amount decimal(18, 4), quantity decimal(18, 4), seen_at timestamptz
);
create or replace table operation_runs (
    trace_id uuid, span_id ubigint, seq bigint, operation varchar, mention_key ubigint, system varchar, dependency varchar,
    started_at timestamptz, ended_at timestamptz, is_error boolean, attempt integer, outcome varchar, replay_id varchar,
    retry_count bigint, error_code varchar, exception varchar, http_status integer, message varchar, endpoint varchar,
    signature varchar
);
create or replace table trace_stitching (
    trace_id uuid, seq bigint, system varchar, hour timestamptz, evidence varchar, correlation_key ubigint, span_count bigint
);
create or replace table span_links (
    trace_id uuid, span_id ubigint, seq bigint, linked_trace_id uuid, linked_span_id ubigint
);
create or replace table trace_warnings (
    trace_id uuid, seq bigint, mention_key ubigint, kind varchar, detail varchar, span_count bigint
);
create or replace table payload_facts (
    trace_id uuid, span_id ubigint, seq bigint, mention_key ubigint, object_type varchar, hop varchar, system varchar, sent_at timestamptz,
    is_error boolean, object_version varchar, field_values varchar[]
);
create or replace table identity_facts (
    trace_id uuid, span_id ubigint, seq bigint, mention_key ubigint, object_type varchar, identity varchar, value varchar, seen_at timestamptz
);
create or replace table payload_shapes (
    trace_id uuid, span_id ubigint, seq bigint, system varchar, operation varchar, release varchar, sent_at timestamptz, is_error boolean, shape varchar
);

-- failure_signature: what is judged once: everything a verdict depends on, with the digits of the message folded.
create or replace macro failure_signature(system, operation, error_code, exception, http_status, message) as
    md5(concat_ws(chr(31), system, operation, coalesce(error_code, ''), coalesce(exception, ''), coalesce(http_status::varchar, ''),
        regexp_replace(left(coalesce(message, ''), 2000), '[0-9]+', '#', 'g')));
