-- Which tables have a column that names a conversation or a user?
select table_name as name, column_name as place
from information_schema.columns
where table_catalog = current_catalog() and table_schema = 'main'
  and column_name in ('conversation_id', 'user_id', 'distinct_id')
order by table_name, column_name
