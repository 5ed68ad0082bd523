-- How many records were rejected, by reason?
select reason, count(*) as n
from rejected_records
group by reason
order by reason
