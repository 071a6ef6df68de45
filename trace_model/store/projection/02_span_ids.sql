-- span_ids (scratch): one row per id that a span itself carries: its objects, their ids elsewhere, and the parents it names.
-- role: 'id' the object's own id; 'alias' its id in another system; 'relation' a parent of the span's object.
-- is_own: the span speaks of this object under this id. An alias beside the object's own id only repeats it.
-- $id_positions, $id_paths: the positions in cat_id_paths of ids, aliases and relations, and their JSON paths.
-- $min_seq, $max_seq: every span of the traces read was recorded between them. $odd_ids: some id attribute does not end in '.id'.
with paths as (
    select p.position, p.role, p.object_type, p.child_type, p.kind, p.alias_system, p.scope, t.traversed,
        '$."' || a.attribute || '"' as amount_path, '$."' || q.attribute || '"' as quantity_path
    from cat_id_paths p
    join cat_object_types t on t.object_type = p.object_type
    left join cat_id_paths a on a.position = p.amount_position
    left join cat_id_paths q on q.position = p.quantity_position
),
said as (
    select seq,
        case
            when contains(resource, '"q2c.') then json_merge_patch(resource::json, attributes::json)::varchar
            else attributes
        end as attributes_said
    from spans
    where seq between $min_seq and $max_seq and trace_id in (select trace_id from read_traces)
      -- most spans of an estate carry no business id: pass over those where none can be
      and (contains(attributes, '.id"') or contains(resource, '"q2c.') or $odd_ids)
),
asked as (
    select seq, attributes_said, unnest($id_positions) as position, unnest(json_extract_string(attributes_said, $id_paths)) as value
    from said
),
present as (
    select a.seq, p.* exclude (position, amount_path, quantity_path),
        -- an attribute may hold one id or an array of them
        case when starts_with(a.value, '[') then coalesce(try_cast(a.value as varchar[]), [a.value]) else [a.value] end as ids,
        json_extract_string(attributes_said, amount_path) as amounts,
        json_extract_string(attributes_said, quantity_path) as quantities
    from (from asked where value is not null) a
    join paths p using (position)
),
elements as (
    select * exclude (ids), unnest(ids) as value, generate_subscripts(ids, 1) as element
    from present
),
trimmed as (
    select * exclude (value), left(trim(value, ' "'), 200) as object_id
    from elements
    where object_id <> ''
),
scoped as materialized (
    select t.* exclude (scope),
        case t.scope when 'system' then s.system when 'legal_entity' then coalesce(s.legal_entity, '') else '' end as scope
    from trimmed t
    join trace_spans s using (seq)
)
select
    s.seq, s.role, s.role = 'id' or (s.role = 'alias' and i.seq is null) as is_own, s.object_type, s.traversed, s.child_type, s.kind,
    s.alias_system, s.object_id, s.scope,
    md5_number_lower(concat_ws(chr(31), s.object_type, case when s.role = 'alias' then s.alias_system else '' end, s.scope, s.object_id)) as mention_key,
    try_cast(case when starts_with(s.amounts, '[') then try_cast(s.amounts as varchar[])[s.element]
        when s.element = 1 then s.amounts end as decimal(17, 4))::decimal(18, 4) as link_amount,
    try_cast(case when starts_with(s.quantities, '[') then try_cast(s.quantities as varchar[])[s.element]
        when s.element = 1 then s.quantities end as decimal(17, 4))::decimal(18, 4) as link_quantity
from scoped s
left join (select distinct seq, object_type from scoped where role = 'id') i
    on i.seq = s.seq and i.object_type = s.object_type and s.role = 'alias'
