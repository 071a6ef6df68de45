-- The check failures (no trace told of them) of the touched timelines are derived again, and what repeats another below a touched parent.
delete from failures
where trace_id is null
  and (object_key in (select lead_key from touched_leads)
       or (operation in (select 'check.duplicate_' || object_type from cat_lead_types)
           and object_key in (select child_key from near_links where parent_key in (select parent_key from touched_parents))))
