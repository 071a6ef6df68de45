-- timeline_objects: one row per object of a timeline. Lead first, then along the flow.
-- $lead_key ubigint; $as_of timestamptz
-- columns: object_type, object_id, scope, label, system, share (0..1), direction, depth, amount, currency, allocated_amount, quantity, shared_by (leads)
select m.object_type, o.object_id, o.scope, y.label, o.system, m.share, m.direction, m.depth, o.amount, o.currency,
    (o.amount * m.share)::decimal(18, 2) as allocated_amount, o.quantity, o.first_seen_at, o.last_seen_at,
    (select count(*) from timeline_members n where n.object_key = m.object_key and n.direction <> 'up') as shared_by
from timeline_members m
join objects o using (object_key)
join cat_object_types y on y.object_type = m.object_type
where m.lead_key = $lead_key and o.first_seen_at <= $as_of
order by m.depth > 0, y.rank, o.object_id
