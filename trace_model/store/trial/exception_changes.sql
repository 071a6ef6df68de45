-- exception_changes: one row per exception that differs between before_exceptions and after_exceptions. Most money first, then id.
-- columns: exception_id, object_type, object_id, object_scope, operation, lead_key, sentence, change 'appears'|'goes'|'state'|'class'|'owner'|'group',
--   before_state, after_state, before_class, after_class, before_category, after_category, before_owner_team, after_owner_team,
--   reporting_amount (blocked, reporting currency)
select coalesce(a.exception_id, b.exception_id) as exception_id, coalesce(a.object_type, b.object_type) as object_type,
    coalesce(a.object_id, b.object_id) as object_id, coalesce(a.object_scope, b.object_scope) as object_scope, coalesce(a.operation, b.operation) as operation, coalesce(a.lead_key, b.lead_key) as lead_key,
    coalesce(a.sentence, b.sentence) as sentence,
    case
        when b.exception_id is null then 'appears'
        when a.exception_id is null then 'goes'
        when a.state <> b.state then 'state'
        when a.class is distinct from b.class or a.category is distinct from b.category then 'class'
        when a.owner_team is distinct from b.owner_team then 'owner'
        else 'group'
    end as change,
    b.state as before_state, a.state as after_state, b.class as before_class, a.class as after_class, b.category as before_category,
    a.category as after_category, b.owner_team as before_owner_team, a.owner_team as after_owner_team,
    coalesce(a.reporting_amount, b.reporting_amount) as reporting_amount
from before_exceptions b full join after_exceptions a on a.exception_id = b.exception_id
where a.state is distinct from b.state or a.class is distinct from b.class or a.category is distinct from b.category
    or a.owner_team is distinct from b.owner_team or a.group_id is distinct from b.group_id
order by reporting_amount desc nulls last, exception_id
