-- owner_trial: one row per owner that the rules in force and the rules on trial give the failures of the $days days before $as_of; assignments by people left
-- out, since no rule changes them. Most money moved first, then what stays.
-- $rules: the rules on trial as a JSON list of {team, person, classes, categories, systems, legal_entities, regions, customers, min_amount, position}, the
--   lowest position that fits counts; $days int; $as_of timestamptz
-- columns: team, person (now), trial_team, trial_person, is_moved, exception_count, open_count, group_count, blocked_amount (reporting currency), examples (order
--   or object ids, at most 3), sentence (of the latest), trial_rule (number of the rule on trial, from 1; null: none fits)
with rules as (
    select unnest(from_json($rules, '[{"team":"VARCHAR","person":"VARCHAR","classes":["VARCHAR"],"categories":["VARCHAR"],"systems":["VARCHAR"],
            "legal_entities":["VARCHAR"],"regions":["VARCHAR"],"customers":["VARCHAR"],"min_amount":"DOUBLE","position":"BIGINT"}]'), recursive := true)
),
failing as (
    select f.*, r.team as rule_team, r.person as rule_person
    from known_failures($as_of) f
    left join cat_owner_rules r on r.position = f.owner_position
    where f.opened_at > $as_of - to_days($days) and f.assigned_team is null and f.assigned_person is null
),
tried as (
    select f.exception_id, min(r.position) as position
    from failing f
    join rules r on concerns_verdict(r.classes, r.categories, r.systems, f.class, f.category, f.system)
        and concerns_stake(r.legal_entities, r.regions, r.customers, r.min_amount, f.legal_entity, f.region, f.customer_id, f.blocked_amount)
    group by f.exception_id
),
judged as (
    select f.*, t.position as trial_position, r.team as trial_team, r.person as trial_person
    from failing f left join tried t using (exception_id) left join rules r on r.position = t.position
)
select rule_team as team, rule_person as person, trial_team, trial_person,
    rule_team is distinct from trial_team or rule_person is distinct from trial_person as is_moved,
    count(*) as exception_count, count(*) filter (state = 'open') as open_count, count(distinct group_id) as group_count,
    coalesce(sum(blocked_amount), 0)::decimal(18, 2) as blocked_amount,
    list(coalesce(lead_id, object_id) order by blocked_amount desc nulls last, exception_id)[1:3] as examples,
    arg_max(sentence, (last_failed_at, exception_id)) as sentence, min(trial_position) + 1 as trial_rule
from judged
group by rule_team, rule_person, trial_team, trial_person
order by is_moved desc, blocked_amount desc, team, trial_team, person, trial_person
