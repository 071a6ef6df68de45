-- object_pause_signs: one row per object, pause and instant at which a span said that it opens or closes. Replaced by object_key.
-- An operation or milestone counts when it succeeded; a word of the role `pause` counts whether the span failed or not.
select f.object_key, s.pause, s.is_opening, f.ended_at as said_at, min(f.system) as system
from resolved_facts f
join cat_pause_signs s on case s.kind
    when 'operation' then not f.is_error and f.run_name = s.name
    when 'milestone' then f.milestone = s.name
    else f.pause_word = s.name
end
where f.is_subject
group by f.object_key, s.pause, s.is_opening, f.ended_at
