-- stirred_interfaces (scratch) of a rebuild: all of them.
select distinct system, operation from payload_shapes
