-- state_moves: one row per pair of states before and after, orders that stay the same among them. Most orders first.
-- columns: before_state, after_state (null: not there), order_count, reporting_amount (reporting currency)
select b.state as before_state, a.state as after_state, count(*) as order_count,
    coalesce(sum(coalesce(a.reporting_amount, b.reporting_amount)), 0)::decimal(38, 2) as reporting_amount
from before_orders b full join after_orders a on a.lead_key = b.lead_key
group by b.state, a.state
order by order_count desc, before_state, after_state
