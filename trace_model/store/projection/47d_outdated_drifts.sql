-- The drifts of stirred interfaces are failures again as they are found now.
delete from failures
where operation = 'check.schema_drift' and object_key in (select interface_key(system, operation) from stirred_interfaces)
