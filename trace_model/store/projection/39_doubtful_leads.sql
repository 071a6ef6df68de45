-- doubtful_leads (scratch): the touched timelines that a check may find something in; mostly there is none, and no check is made.
select s.lead_key
from coverage_steps s cross join cat_settings k
where s.is_measured and s.part > 1 + k.over_tolerance and list_contains(k.not_over, s.milestone)
union
select m.lead_key
from timeline_members_fresh m cross join cat_settings k
where list_contains(k.recurring, m.object_type)
union
select lead_key from payload_comparisons_fresh where is_different
union
select a.canonical_key
from alias_facts a
where a.canonical_key in (select lead_key from timelines_fresh)
group by a.canonical_key, a.alias_system, a.scope
having count(distinct a.alias_key) > 1
