-- trace_spans (scratch): one row per span of the traces read, with what the catalogue's roles read from it. `seq` is its identity here.
-- $role_structure: from_json structure of every role's attribute names, NAMES_PER_ROLE slots a role, in ROLES order.
-- $object_paths: JSON paths of object ids, aliases and relations, positions as in cat_id_paths.
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
    select
        *,
        from_json(attributes_said, $role_structure) as r,
        -- most spans of an estate carry no business id: skip the paths where no id attribute can be there
        case when contains(attributes_said, '.id"') or contains(attributes_said, '_id"') or $odd_ids
            then json_extract_string(attributes_said, $object_paths) end as ids
    from said
),
named as (
    select
        seq, trace_id, span_id, parent_span_id, name, kind, service,
        make_timestamptz(start_unix_ns // 1000) as started_at,
        make_timestamptz(end_unix_ns // 1000) as ended_at,
        status_code = 2 as is_error,
        status_message, events, links, ids,
        nullif(trim(coalesce(struct_extract_at(r, 1), struct_extract_at(r, 2), struct_extract_at(r, 3), struct_extract_at(r, 4))), '') as correlation_id,
        nullif(trim(coalesce(struct_extract_at(r, 5), struct_extract_at(r, 6), struct_extract_at(r, 7), struct_extract_at(r, 8))), '') as operation,
        nullif(trim(coalesce(struct_extract_at(r, 9), struct_extract_at(r, 10), struct_extract_at(r, 11), struct_extract_at(r, 12))), '') as declared_milestone,
        nullif(trim(coalesce(struct_extract_at(r, 13), struct_extract_at(r, 14), struct_extract_at(r, 15), struct_extract_at(r, 16))), '') as amount_said,
        try_cast(amount_said as decimal(18, 4)) as amount,
        upper(left(trim(coalesce(struct_extract_at(r, 17), struct_extract_at(r, 18), struct_extract_at(r, 19), struct_extract_at(r, 20))), 3)) as currency,
        try_cast(coalesce(struct_extract_at(r, 21), struct_extract_at(r, 22), struct_extract_at(r, 23), struct_extract_at(r, 24)) as decimal(18, 4)) as quantity,
        coalesce(struct_extract_at(r, 25), struct_extract_at(r, 26), struct_extract_at(r, 27), struct_extract_at(r, 28)) as region,
        coalesce(struct_extract_at(r, 29), struct_extract_at(r, 30), struct_extract_at(r, 31), struct_extract_at(r, 32)) as product_line,
        coalesce(struct_extract_at(r, 33), struct_extract_at(r, 34), struct_extract_at(r, 35), struct_extract_at(r, 36)) as legal_entity,
        coalesce(struct_extract_at(r, 37), struct_extract_at(r, 38), struct_extract_at(r, 39), struct_extract_at(r, 40)) as tier,
        coalesce(struct_extract_at(r, 41), struct_extract_at(r, 42), struct_extract_at(r, 43), struct_extract_at(r, 44)) as workflow,
        try_cast(coalesce(struct_extract_at(r, 45), struct_extract_at(r, 46), struct_extract_at(r, 47), struct_extract_at(r, 48)) as integer) as attempt,
        coalesce(struct_extract_at(r, 49), struct_extract_at(r, 50), struct_extract_at(r, 51), struct_extract_at(r, 52)) as outcome,
        coalesce(struct_extract_at(r, 57), struct_extract_at(r, 58), struct_extract_at(r, 59), struct_extract_at(r, 60)) as replay_id,
        coalesce(struct_extract_at(r, 61), struct_extract_at(r, 62), struct_extract_at(r, 63), struct_extract_at(r, 64)) as error_code,
        coalesce(struct_extract_at(r, 65), struct_extract_at(r, 66), struct_extract_at(r, 67), struct_extract_at(r, 68)) as error_type,
        try_cast(coalesce(struct_extract_at(r, 69), struct_extract_at(r, 70), struct_extract_at(r, 71), struct_extract_at(r, 72)) as integer) as http_status,
        coalesce(struct_extract_at(r, 73), struct_extract_at(r, 74), struct_extract_at(r, 75), struct_extract_at(r, 76)) as grpc_status,
        coalesce(struct_extract_at(r, 77), struct_extract_at(r, 78), struct_extract_at(r, 79), struct_extract_at(r, 80)) as dependency,
        try_cast(coalesce(struct_extract_at(r, 81), struct_extract_at(r, 82), struct_extract_at(r, 83), struct_extract_at(r, 84)) as integer) as resend_count,
        coalesce(struct_extract_at(r, 85), struct_extract_at(r, 86), struct_extract_at(r, 87), struct_extract_at(r, 88)) as endpoint,
        coalesce(struct_extract_at(r, 93), struct_extract_at(r, 94), struct_extract_at(r, 95), struct_extract_at(r, 96)) as customer_name,
        coalesce(struct_extract_at(r, 97), struct_extract_at(r, 98), struct_extract_at(r, 99), struct_extract_at(r, 100)) as object_version
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
    f.* exclude (declared_milestone),
    case when m.milestone is null then declared_milestone end as unknown_milestone,
    -- a milestone is reached by a success only: the one the span names, else the one its operation stands for
    case when not is_error then coalesce(m.milestone, o.milestone) end as milestone,
    case when correlation_id is not null then md5_number_lower(correlation_id) end as correlation_key,
    coalesce(m.object_type, o.milestone_object_type, o.object_type) as subject_type
from spoken_for f
left join cat_milestones m on m.milestone = f.declared_milestone
left join cat_operations o on o.operation = f.operation
