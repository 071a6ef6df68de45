-- touched_leads (scratch): every lead object whose timeline holds, or held, a touched object, or may now gain or lose one.
with recursive up as (
    select object_key from touched_objects
    union
    select k.parent_key from up u join links k on k.child_key = u.object_key and k.kind = 'part_of'
),
above as (
    -- leads, and types upstream of them (a quote): what changed there shows in the leads below
    select u.object_key from up u join objects o using (object_key) join cat_object_types t using (object_type) where t.above_lead or t.is_lead
),
down as (
    select object_key from above
    union
    select k.child_key from down d
    join links k on k.parent_key = d.object_key and k.kind = 'part_of'
    join cat_object_types t on t.object_type = k.child_type and (t.above_lead or t.is_lead)
)
select distinct object_key as lead_key from (
    select object_key from up
    union all
    select object_key from down
    union all
    select m.lead_key from timeline_members m where m.object_key in (select object_key from touched_objects)
)
