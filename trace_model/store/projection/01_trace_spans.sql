-- trace_spans (scratch): one row per span of the traces read, with what the catalogue's roles read from it. `seq` is its identity here.
-- $role_structure: from_json structure of every attribute name that a role is read from; $<role>_1 to _4: those of one role, most
--   preferred first, the first repeated where there are fewer.
-- $min_seq, $max_seq: every span of those traces was recorded between them.
with said as (
    select
        s.*,
        -- business attributes of the resource hold for each of its spans; the span's own win
        case
            when contains(s.resource, '"q2c.') then json_merge_patch(s.resource::json, s.attributes::json)::varchar
            else s.attributes
        end as attributes_said
    from spans s
    where s.seq between $min_seq and $max_seq and s.trace_id in (select trace_id from read_traces)
),
read as (
    select *, from_json(attributes_said, $role_structure) as r from said
),
named as (
    select
        seq, trace_id, span_id, parent_span_id, name, kind, service,
        make_timestamptz(start_unix_ns // 1000) as started_at,
        make_timestamptz(end_unix_ns // 1000) as ended_at,
        status_code = 2 as is_error,
        status_message, links,
        case when is_error then events end as failure_events,
        nullif(trim(coalesce(struct_extract(r, $correlation_id_1), struct_extract(r, $correlation_id_2), struct_extract(r, $correlation_id_3), struct_extract(r, $correlation_id_4))), '') as correlation_id,
        nullif(trim(coalesce(struct_extract(r, $operation_1), struct_extract(r, $operation_2), struct_extract(r, $operation_3), struct_extract(r, $operation_4))), '') as operation,
        nullif(trim(coalesce(struct_extract(r, $milestone_1), struct_extract(r, $milestone_2), struct_extract(r, $milestone_3), struct_extract(r, $milestone_4))), '') as declared_milestone,
        nullif(trim(coalesce(struct_extract(r, $amount_1), struct_extract(r, $amount_2), struct_extract(r, $amount_3), struct_extract(r, $amount_4))), '') as amount_said,
        upper(left(trim(coalesce(struct_extract(r, $currency_1), struct_extract(r, $currency_2), struct_extract(r, $currency_3), struct_extract(r, $currency_4))), 3)) as currency,
        try_cast(coalesce(struct_extract(r, $quantity_1), struct_extract(r, $quantity_2), struct_extract(r, $quantity_3), struct_extract(r, $quantity_4)) as decimal(17, 4))::decimal(18, 4) as quantity,
        coalesce(struct_extract(r, $region_1), struct_extract(r, $region_2), struct_extract(r, $region_3), struct_extract(r, $region_4)) as region,
        coalesce(struct_extract(r, $product_line_1), struct_extract(r, $product_line_2), struct_extract(r, $product_line_3), struct_extract(r, $product_line_4)) as product_line,
        coalesce(struct_extract(r, $legal_entity_1), struct_extract(r, $legal_entity_2), struct_extract(r, $legal_entity_3), struct_extract(r, $legal_entity_4)) as legal_entity,
        coalesce(struct_extract(r, $tier_1), struct_extract(r, $tier_2), struct_extract(r, $tier_3), struct_extract(r, $tier_4)) as tier,
        coalesce(struct_extract(r, $workflow_1), struct_extract(r, $workflow_2), struct_extract(r, $workflow_3), struct_extract(r, $workflow_4)) as workflow,
        try_cast(coalesce(struct_extract(r, $attempt_1), struct_extract(r, $attempt_2), struct_extract(r, $attempt_3), struct_extract(r, $attempt_4)) as integer) as attempt,
        coalesce(struct_extract(r, $outcome_1), struct_extract(r, $outcome_2), struct_extract(r, $outcome_3), struct_extract(r, $outcome_4)) as outcome,
        coalesce(struct_extract(r, $replay_id_1), struct_extract(r, $replay_id_2), struct_extract(r, $replay_id_3), struct_extract(r, $replay_id_4)) as replay_id,
        coalesce(struct_extract(r, $error_code_1), struct_extract(r, $error_code_2), struct_extract(r, $error_code_3), struct_extract(r, $error_code_4)) as error_code,
        coalesce(struct_extract(r, $error_type_1), struct_extract(r, $error_type_2), struct_extract(r, $error_type_3), struct_extract(r, $error_type_4)) as error_type,
        try_cast(coalesce(struct_extract(r, $http_status_1), struct_extract(r, $http_status_2), struct_extract(r, $http_status_3), struct_extract(r, $http_status_4)) as integer) as http_status,
        coalesce(struct_extract(r, $dependency_1), struct_extract(r, $dependency_2), struct_extract(r, $dependency_3), struct_extract(r, $dependency_4)) as dependency,
        coalesce(struct_extract(r, $endpoint_1), struct_extract(r, $endpoint_2), struct_extract(r, $endpoint_3), struct_extract(r, $endpoint_4)) as endpoint,
        coalesce(struct_extract(r, $customer_name_1), struct_extract(r, $customer_name_2), struct_extract(r, $customer_name_3), struct_extract(r, $customer_name_4)) as customer_name,
        coalesce(struct_extract(r, $object_version_1), struct_extract(r, $object_version_2), struct_extract(r, $object_version_3), struct_extract(r, $object_version_4)) as object_version,
        coalesce(struct_extract(r, $pause_1), struct_extract(r, $pause_2), struct_extract(r, $pause_3), struct_extract(r, $pause_4)) as pause_word
    from read
),
spoken_for as (
    select
        n.*,
        -- an integration speaks of the system it calls; every other system speaks of itself
        case
            when s.kind = 'integration' and n.dependency is not null then coalesce(d.name, n.dependency)
            else coalesce(s.name, n.service)
        end as system
    from named n
    left join cat_system_names s on s.spoken_name = n.service
    left join cat_system_names d on d.spoken_name = n.dependency
)
select
    f.* exclude (declared_milestone, correlation_id, failure_events, service),
    -- ten trillion and more is nobody's money: what it is divided by, converted to and summed up to must fit too
    try_cast(amount_said as decimal(17, 4))::decimal(18, 4) as amount,
    -- the last thing that happened on a failing span
    json_extract_string(failure_events, '$[#-1].attributes."exception.type"') as thrown_type,
    json_extract_string(failure_events, '$[#-1].attributes."exception.message"') as thrown_message,
    -- a milestone is reached by a success only: the one the span names, else the one its operation stands for
    case when not is_error then coalesce(m.milestone, o.milestone) end as milestone,
    case when m.milestone is null then declared_milestone end as unknown_milestone,
    case when correlation_id is not null then md5_number_lower(correlation_id) end as correlation_key,
    coalesce(m.object_type, o.milestone_object_type, o.object_type) as subject_type
from spoken_for f
left join cat_milestones m on m.milestone = f.declared_milestone
left join cat_operations o on o.operation = f.operation
