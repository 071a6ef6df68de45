-- One row per verdict and message among the fresh failures: what trace_model.signatures.plain_sentence is asked.
-- columns: signature, message, system_label, error_code, class, transient, category, confidence, rule
select distinct f.signature, f.message, coalesce(s.label, f.system) as system_label, f.error_code, j.class, j.transient, j.category, j.confidence, j.rule
from failures_fresh f
join signatures j using (signature)
left join cat_systems s on s.name = f.system
order by f.signature, f.message
