-- timeline: at most one row: the timeline of a lead object at $as_of.
-- $type, $id varchar; $as_of timestamptz
select t.* exclude (promises), k.reporting_currency
from timeline_states($as_of) t cross join cat_settings k
where t.lead_type = $type and t.lead_id = $id
order by t.lead_key
limit 1
