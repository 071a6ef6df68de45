-- alert_changes: one row per thing about which alerts would differ. By kind, then instant, then subject.
-- `routed`: side, cause_key, alert_no, channels (text). What a system or a queue does has no name beside its instant.
-- columns: kind, title, object_type, object_id, object_scope, change 'raised'|'not_raised'|'moved'|'told_to_others', before_at, after_at, before_owner_team,
--   after_owner_team, before_channels, after_channels, amount (reporting currency)
with before as (
    select a.*, r.channels, case when a.kind in ('outage', 'silent', 'queue_depth') then a.since end as told_by
    from before_alerts a join routed r on r.side = 'before' and r.cause_key = a.cause_key and r.alert_no = a.alert_no
),
after as (
    select a.*, r.channels, case when a.kind in ('outage', 'silent', 'queue_depth') then a.since end as told_by
    from after_alerts a join routed r on r.side = 'after' and r.cause_key = a.cause_key and r.alert_no = a.alert_no
)
select coalesce(a.kind, b.kind) as kind, coalesce(a.title, b.title) as title, coalesce(a.object_type, b.object_type) as object_type,
    coalesce(a.object_id, b.object_id) as object_id, coalesce(a.object_scope, b.object_scope) as object_scope,
    case
        when b.subject is null then 'raised'
        when a.subject is null then 'not_raised'
        when a.since <> b.since then 'moved'
        else 'told_to_others'
    end as change,
    b.since as before_at, a.since as after_at, b.owner_team as before_owner_team, a.owner_team as after_owner_team,
    b.channels as before_channels, a.channels as after_channels, coalesce(a.amount, b.amount) as amount
from before b full join after a on a.kind = b.kind and a.subject = b.subject and a.told_by is not distinct from b.told_by
where a.subject is null or b.subject is null or a.since <> b.since
    or a.owner_team is distinct from b.owner_team or a.channels is distinct from b.channels
order by kind, coalesce(a.since, b.since), coalesce(a.subject, b.subject)
