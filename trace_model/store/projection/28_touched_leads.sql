-- touched_leads (scratch): every object whose timeline holds, or held, a touched object, or may now gain or lose one: what lies above a
-- touched object, and what lies below one that is upstream of the leads (a quote).
with recursive up as (
    select object_key from touched_objects
    union
    select k.parent_key from up u join near_links k on k.child_key = u.object_key
),
down as (
    select t.object_key
    from touched_objects t
    join near_rows o using (object_key)
    join cat_object_types y using (object_type)
    where y.above_lead or y.is_lead
    union
    select k.child_key
    from down d
    join near_links k on k.parent_key = d.object_key
    join cat_object_types y on y.object_type = k.child_type and (y.above_lead or y.is_lead)
)
select object_key as lead_key from up
union
select object_key from down
union
select lead_key from holding_leads
