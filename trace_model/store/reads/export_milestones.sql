-- export_milestones: one row per timeline and milestone that it has reached at $as_of. By lead, then in the order of reaching.
-- $as_of timestamptz; covered_amount in the lead's currency; coverage as it is known today
select t.lead_type, t.lead_id, m.milestone, m.reached_at, case when m.complete_at <= $as_of then m.complete_at end as complete_at,
    case when m.undone_at <= $as_of then m.undone_at end as undone_at, m.covered_amount, m.covered_quantity, m.coverage
from timeline_milestones m join timelines t using (lead_key)
where m.reached_at <= $as_of
order by t.lead_type, t.lead_id, m.reached_at, m.milestone
