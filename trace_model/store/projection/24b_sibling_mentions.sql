-- sibling_mentions (scratch): the ids of every child whose links must be derived as a whole: children linked to a touched
-- object, and objects that a touched correlation ID may tie.
with children as (
    select f.child_key as mention_key from link_facts f
    where f.parent_key in (select mention_key from touched_mentions) or f.child_key in (select mention_key from touched_mentions)
    union
    select object_key from touched_correlation_objects
),
resolved as (
    select mention_key from children
    union
    select r.object_key from resolutions r join children c on c.mention_key = r.alias_key where r.object_key is not null
)
select mention_key from resolved
union
select r.alias_key from resolutions r join resolved c on c.mention_key = r.object_key
