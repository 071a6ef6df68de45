-- alert_heads: one row per alert among `alerts`, a view of one side: what a route is chosen by. Few: causes, not orders.
-- columns: cause_key, alert_no, kind, class, category, owner_team, system, promise, amount (reporting currency)
select cause_key, alert_no, arg_min(kind, since) as kind, arg_min(class, since) as class, arg_min(category, since) as category,
    arg_min(owner_team, since) as owner_team, arg_min(system, since) as system, arg_min(promise, since) as promise, any_value(alert_amount) as amount
from alerts
group by cause_key, alert_no
order by cause_key, alert_no
