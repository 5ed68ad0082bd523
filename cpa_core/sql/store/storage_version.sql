-- Of which version's form is the database's file?
select rtrim(tags['storage_version'], '+') as version from duckdb_databases() where database_name = 'store'
