-- timeline: the timelines of a lead object at $as_of: one, but where systems or legal entities use the same id for different orders.
-- $type, $id varchar; $scope varchar or null for any; $as_of timestamptz
-- columns: those of timeline_states, scope, system, reporting_currency
select t.* exclude (promises), o.scope, o.system, k.reporting_currency
from timeline_states($as_of) t
join objects o on o.object_key = t.lead_key
cross join cat_settings k
where t.lead_type = $type and t.lead_id = $id and ($scope is null or o.scope = $scope)
order by o.scope, t.lead_key
