-- How many rows has this table, and what do these columns of them say? The same for the same rows, in any order.
-- The caller writes in the names, which it has read from the catalog: names cannot be bound.
select count(*) as rows, coalesce(sum(hash(one)::hugeint), 0)::varchar as content
from (select $columns from $table) as one
