-- Objects are no longer on correlation IDs that they were seen with under an id that stands for another object now.
delete from object_correlations
where object_key in (select object_key from correlation_changes where change < 0)
  and (object_key, correlation_key) in (select (object_key, correlation_key) from correlation_changes where change < 0)
