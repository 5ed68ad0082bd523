-- Which tables does the database hold?
select table_name as name from duckdb_tables() where database_name = 'store' and not internal order by name
