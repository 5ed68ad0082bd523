-- Which receipts of these days say more than "accepted"?
select day, destination, status, detail, count(*) as events
from upload_receipts
where list_contains($days::date[], day) and status <> 'accepted'
group by day, destination, status, detail
order by day, destination, status, detail
