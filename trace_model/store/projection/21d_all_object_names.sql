-- object_names (scratch view, rebuild): every object's own id, as in 21d_object_names.
select mention_key as object_key, min(object_id) as object_id from object_facts group by mention_key
