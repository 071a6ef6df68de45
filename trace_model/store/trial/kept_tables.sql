-- kept_tables: one row per table of the database $database that another catalogue sees as it stands: whatever is not derived and not the catalogue itself.
-- $database varchar; $derived varchar[]; columns: table_name
select table_name from duckdb_tables()
where database_name = $database and schema_name = 'main' and not temporary and not list_contains($derived, table_name)
    and not starts_with(table_name, 'cat_') and table_name not in ('spans', 'traces', 'schema_migrations')
order by table_name
