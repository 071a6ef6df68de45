-- holding_leads (scratch): the leads of the timelines that held a touched object.
select distinct lead_key from timeline_members where object_key in (select object_key from touched_objects)
