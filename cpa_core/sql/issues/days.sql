-- How did an issue stand on each of its last days?
select day, state, harmed, of_conversations, share
from (select *, row_number() over (order by day desc) as place from issue_days where issue_id = $issue)
where place <= $most
order by day
