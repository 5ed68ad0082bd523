-- Which days before this one have conversations, and are not of those of which only sums are left?
select distinct day
from raw_conversations
where day < $before and day >= coalesce((select max(before) from retention), '-infinity'::date)
order by day
