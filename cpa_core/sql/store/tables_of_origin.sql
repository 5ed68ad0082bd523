-- Which of the tables that say who wrote this database does it have?
select table_name as name from duckdb_tables() where database_name = 'store' and table_name in ('migrations', 'versions')
