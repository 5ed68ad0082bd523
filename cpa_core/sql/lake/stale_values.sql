-- Forget the smallest and largest value of a text column that none of its files has. (Postgres)
update {lake}.ducklake_table_column_stats t
set min_value = null, max_value = null
from {lake}.ducklake_column c
where c.table_id = t.table_id and c.column_id = t.column_id and lower(c.column_type) in ('varchar', 'json')
  and (
    not exists (
      select 1 from {lake}.ducklake_file_column_stats f
      where f.table_id = t.table_id and f.column_id = t.column_id and f.min_value = t.min_value
    )
    or not exists (
      select 1 from {lake}.ducklake_file_column_stats f
      where f.table_id = t.table_id and f.column_id = t.column_id and f.max_value = t.max_value
    )
  )
