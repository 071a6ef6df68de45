-- touched_parents (scratch): what stands above the lead objects (quotes) and has, or had, a touched one below it.
select object_key as parent_key from near_rows
where object_type in (select object_type from cat_object_types where above_lead) and object_key in (select object_key from touched_objects)
union
select parent_key from near_links
where parent_type in (select object_type from cat_object_types where above_lead) and child_key in (select lead_key from touched_leads)
