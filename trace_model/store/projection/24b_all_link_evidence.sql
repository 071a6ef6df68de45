-- link_evidence (scratch view, rebuild): all link_facts and all that people tied, as in 24b_link_evidence.
select child_key, child_type, parent_key, parent_type, kind, source, confidence, amount, quantity, seen_at from link_facts
union all
select child_key, child_type, parent_key, parent_type, 'part_of', 'operator', 1.00::decimal(3, 2), null, null, seen_at from operator_links
