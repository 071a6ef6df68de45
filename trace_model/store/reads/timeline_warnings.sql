-- timeline_warnings: one row per doubt about a timeline. Empty: nothing was guessed or out of order.
-- $lead_key ubigint
-- columns: kind, detail
with mine as (
    select object_key from timeline_members where lead_key = $lead_key and direction <> 'up'
)
select 'ambiguous_alias' as kind, format('{} {} was seen with {} different objects; it ties to none of them', a.alias_system, any_value(a.alias_id), any_value(r.canonical_count)) as detail
from alias_facts a join resolutions r using (alias_key)
where r.canonical_count > 1 and a.canonical_key in (select object_key from mine)
group by a.alias_system, a.alias_key
union all
select 'weak_link', format('{} {} is tied to {} {} only by {} (confidence {})', k.child_type, c.object_id, k.parent_type, p.object_id, k.source, k.confidence)
from links k join objects c on c.object_key = k.child_key join objects p on p.object_key = k.parent_key
where k.confidence < 0.8 and k.child_key in (select object_key from mine)
union all
select 'over_coverage', format('{} covers more than the order', m.label)
from timeline_milestones t join cat_milestones m using (milestone)
where t.lead_key = $lead_key and t.coverage = 'over'
union all
-- what one trace raised: clock skew, a parent that has not come, an amount that is none, a name nobody knows
select w.kind, w.detail || case when sum(w.span_count) > 1 then format(' ({} spans)', sum(w.span_count)::bigint) else '' end
from warnings w
where w.object_key in (select object_key from mine) and w.kind <> 'ambiguous_alias'
group by w.kind, w.detail
order by kind, detail
