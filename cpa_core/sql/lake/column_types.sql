-- Which columns has a table of the ledgers, and of what types? (Postgres)
select attname as name, format_type(atttypid, atttypmod) as kind
from pg_attribute
where attrelid = to_regclass(%(table)s) and attnum > 0 and not attisdropped
