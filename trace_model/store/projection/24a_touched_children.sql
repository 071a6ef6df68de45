-- touched_children (scratch): every object whose links upward are derived again: touched ones, those that a changed correlation ID
-- may tie, those whose parent's id stands for another object now, and those whose parent is worth more or less than before.
with changed as (
    select correlation_key, sum(change) as change from correlation_changes group by correlation_key
),
stirred as (
    -- a correlation ID of more than 200 objects is a batch and ties nothing; one that was a batch and still is stirs nobody
    select object_key
    from object_correlations
    join changed using (correlation_key)
    qualify least(count(*) over (partition by correlation_key), count(*) over (partition by correlation_key) - change) <= 200
),
revalued as (
    select object_key from (
        select object_key, amount, currency, quantity from objects_fresh
        except
        select object_key, amount, currency, quantity from objects_before
    )
)
select mention_key as child_key from touched_mentions
union
select object_key from stirred
union
select coalesce(r.object_key, f.child_key)
from (select child_key, parent_key from link_facts union all select child_key, parent_key from operator_links) f
semi join changed_aliases a on a.alias_key = f.parent_key
left join resolutions r on r.alias_key = f.child_key
union
select child_key from links semi join revalued on object_key = parent_key
