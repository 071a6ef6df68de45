-- breaches: one row per promise with clocks breached or at risk at $as_of, most money first: what Today shows first.
-- $as_of timestamptz
-- columns: promise, label, owner_team, breached_count, breached_amount, at_risk_count, at_risk_amount (reporting currency), next_due_at
select c.promise, any_value(c.label) as label, any_value(c.owner_team) as owner_team,
    count(*) filter (c.state = 'breached') as breached_count,
    coalesce(sum(t.reporting_amount) filter (c.state = 'breached'), 0)::decimal(18, 2) as breached_amount,
    count(*) filter (c.state = 'at_risk') as at_risk_count,
    coalesce(sum(t.reporting_amount) filter (c.state = 'at_risk'), 0)::decimal(18, 2) as at_risk_amount,
    min(c.due_at) filter (c.state = 'at_risk') as next_due_at
from open_clocks($as_of) c join timelines t using (lead_key)
where c.state in ('breached', 'at_risk') and coalesce(t.completed_at > $as_of, true) and coalesce(t.cancelled_at > $as_of, true)
group by c.promise
order by breached_amount desc, at_risk_amount desc, c.promise
