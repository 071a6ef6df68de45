-- rule_proposals: one row per group that a person named, with the rule that would have said so: the latest word on each group. Latest first.
-- $as_of timestamptz
-- columns: group_id, named_at, named_by, class, category, reason, proposal (YAML, one rule of failure_rules.rules), exception_count (of the group, open or not)
with named as (
    select subject_id as group_id, max(acted_at) as named_at, arg_max(actor, action_no) as named_by, arg_max(reason, action_no) as reason, arg_max(detail, action_no) as detail
    from operator_actions
    where subject_type = 'exception_group' and deed = 'reclassify' and acted_at <= $as_of
    group by subject_id
),
known as (
    select group_id, count(*) as exception_count from known_failures($as_of) group by group_id
)
select n.group_id, n.named_at, n.named_by, n.detail->>'class' as class, n.detail->>'category' as category, n.reason, n.detail->>'proposal' as proposal,
    coalesce(k.exception_count, 0) as exception_count
from named n left join known k using (group_id)
where n.detail->>'proposal' is not null
order by n.named_at desc, n.group_id
