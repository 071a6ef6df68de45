-- near_objects (scratch): the touched objects, and everything in the timelines that held one of them. Mostly that is all that the
-- timelines to derive can hold; whatever else they reach is added.
select object_key from touched_objects
union
select object_key from timeline_members where lead_key in (select lead_key from holding_leads)
union
select lead_key from holding_leads
