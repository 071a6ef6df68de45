-- group_now: one row per group among $group_ids: what it is called and owned now, as the audit keeps it before a deed. Ordered by id.
-- $group_ids varchar[]; $as_of timestamptz
select group_id, any_value(class) as class, any_value(category) as category, any_value(acknowledged_by) as acknowledged_by,
    any_value(assigned_team) as assigned_team, any_value(assigned_person) as assigned_person,
    -- what ends it, without what the audit says beside it
    any_value(case when snooze is not null then json_merge_patch(snooze::json, '{"before": null, "after": null}')::varchar end) as snooze,
    any_value(tags) as tags, any_value(ticket) as ticket, any_value(resolved_by_hand_at)::varchar as resolved_by_hand_at
from judgements($as_of)
where list_contains($group_ids::varchar[], group_id)
group by group_id
order by group_id
