-- How many bytes does the database's file hold, and how many of them are free for new rows, but not given back?
select block_size * total_blocks as bytes, block_size * used_blocks as used, block_size * free_blocks as free
from pragma_database_size()
where database_name = 'store'
