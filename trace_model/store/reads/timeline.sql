-- timeline: the timelines of a lead object at $as_of: one, but where systems or legal entities use the same id for different orders.
-- $type, $id varchar; $scope varchar or null for any; $as_of timestamptz
-- columns: those of timeline_states, scope, system, reporting_currency
with meant as (
    select list(lead_key) as lead_keys from timelines where lead_type = $type and lead_id = $id
)
select t.* exclude (promises), o.scope, o.system, k.reporting_currency
from timeline_states($as_of, coalesce((select lead_keys from meant), [])) t
join objects o on o.object_key = t.lead_key
cross join cat_settings k
where $scope is null or o.scope = $scope
order by o.scope, t.lead_key
