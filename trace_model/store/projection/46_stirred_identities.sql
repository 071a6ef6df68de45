-- stirred_identities (scratch): every identity that an object spoken of has, or had: whoever else has it is compared again.
select object_type, identity, value from identities_before
union
select object_type, identity, value from identity_facts where mention_key in (select mention_key from touched_mentions)
