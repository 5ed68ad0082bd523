-- On which days did one of these destinations reject events?
select distinct day
from upload_receipts
where status = 'rejected' and list_contains($destinations::varchar[], destination)
order by day
