-- How many lines of the files could not be read?
select coalesce(sum(unread), 0) as lines from gold_merged
