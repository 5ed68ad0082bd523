-- Which tables have a column that names a conversation or a user? Ledgers may stand in a database of their own.
select table_name as name, column_name as place
from information_schema.columns
where (
    (table_catalog = current_catalog() and table_schema = 'main')
    or (table_catalog = 'ledger' and table_name in ('answers', 'batches', 'upload_receipts'))
  )
  and column_name in ('conversation_id', 'user_id', 'distinct_id')
order by table_name, column_name
