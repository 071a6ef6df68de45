-- objects_named: every object of a type under an id: one, but where systems or legal entities use the same id for different ones.
-- $type, $id varchar; $scope varchar or null for any; $as_of timestamptz
-- columns: object_key, object_type, object_id, scope, system, customer, amount, currency, first_seen_at, leads (it leads a timeline)
select object_key, object_type, object_id, scope, system, coalesce(customer_name, customer_id) as customer, amount, currency, first_seen_at,
    object_key in (select lead_key from timelines) as leads
from objects
where object_type = $type and object_id = $id and ($scope is null or scope = $scope) and first_seen_at <= $as_of
order by scope, object_key
