-- touched_aliases (scratch): ids in other systems whose resolution must be derived again.
select mention_key as alias_key from touched_mentions semi join alias_facts on alias_key = mention_key
union
select alias_key from resolutions semi join touched_mentions on mention_key = alias_key
