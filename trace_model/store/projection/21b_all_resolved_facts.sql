-- resolved_facts (scratch view, rebuild): all object_facts, as in 21b_resolved_facts.
select
    coalesce(r.object_key, f.mention_key) as object_key, r.alias_key is not null and r.object_key is not null as is_renamed, f.*,
    (f.is_subject::hugeint * 2 + (not f.is_error)::hugeint) * 42535295865117307932921825928971026432
        + epoch_us(f.ended_at)::hugeint * 18446744073709551616 + hash(f.trace_id, f.span_id) as standing
from object_facts f
left join resolutions r on r.alias_key = f.mention_key
