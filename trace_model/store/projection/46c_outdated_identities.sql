-- Whoever has, or had, a stirred identity is judged again.
delete from failures
where operation in (select 'check.duplicate_' || object_type from cat_identities)
  and (object_key in (select object_key from identity_holders) or object_key in (select mention_key from identities_before))
