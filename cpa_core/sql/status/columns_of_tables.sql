-- What columns has each table, in their order, and of what types?
select table_name, column_name, data_type
from information_schema.columns
order by table_name, ordinal_position
