-- span_ids (scratch): one row per id that a span itself carries: its objects, their ids elsewhere, and the parents it names.
-- role: 'id' the object's own id; 'alias' its id in another system; 'relation' a parent of the span's object.
-- is_own: the span speaks of this object under this id. An alias beside the object's own id only repeats it.
with paths as (
    select p.*, t.traversed, i.id_positions
    from cat_id_paths p
    join cat_object_types t using (object_type)
    left join (
        select object_type, list(position) as id_positions from cat_id_paths where role = 'id' group by object_type
    ) i using (object_type)
    where p.role <> 'share'
),
present as (
    select s.seq, p.*, s.ids, s.system, s.legal_entity, s.ids[p.position] as value,
        case p.role
            when 'id' then true
            when 'alias' then len(list_filter(p.id_positions, lambda p_at: coalesce(s.ids[p_at], '') not in ('', '[]'))) = 0
            else false
        end as is_own
    from trace_spans s, paths p
    where s.ids is not null and s.ids[p.position] is not null
),
elements as (
    select
        * exclude (value),
        -- an attribute may hold one id or an array of them
        unnest(case when starts_with(value, '[') then coalesce(try_cast(value as varchar[]), [value]) else [value] end) as value,
        generate_subscripts(case when starts_with(value, '[') then coalesce(try_cast(value as varchar[]), [value]) else [value] end, 1) as element
    from present
),
trimmed as (
    select * exclude (value), left(trim(value, ' "'), 200) as object_id
    from elements
)
select distinct
    seq, role, is_own, object_type, traversed, child_type, kind, alias_system, element, object_id,
    case scope when 'system' then system when 'legal_entity' then coalesce(legal_entity, '') else '' end as scope,
    md5_number_lower(concat_ws(chr(31),
        object_type,
        case when role = 'alias' then alias_system else '' end,
        case scope when 'system' then system when 'legal_entity' then coalesce(legal_entity, '') else '' end,
        object_id
    )) as mention_key,
    try_cast(case when amount_position is null then null
        when starts_with(ids[amount_position], '[') then try_cast(ids[amount_position] as varchar[])[element]
        when element = 1 then ids[amount_position] end as decimal(18, 4)) as link_amount,
    try_cast(case when quantity_position is null then null
        when starts_with(ids[quantity_position], '[') then try_cast(ids[quantity_position] as varchar[])[element]
        when element = 1 then ids[quantity_position] end as decimal(18, 4)) as link_quantity
from trimmed
where object_id <> ''
