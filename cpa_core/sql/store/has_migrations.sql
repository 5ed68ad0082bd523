-- Does the database hold the table of migrations?
select table_name from duckdb_tables() where database_name = 'store' and table_name = 'migrations'
