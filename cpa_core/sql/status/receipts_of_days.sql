-- Which receipts of these days say more than "accepted"? Not what a wrong key left open and a later one delivered.
with newest as (
  select destination, event_id, max_by(project, receipted_at) as project
  from upload_receipts
  where event_id in (select event_id from upload_receipts where list_contains($days::date[], day))
  group by destination, event_id
)
select u.day, u.destination, u.status, u.detail, count(*) as events
from upload_receipts u
join newest n on n.destination = u.destination and n.event_id = u.event_id
where list_contains($days::date[], u.day) and u.status <> 'accepted'
  and (u.status <> 'retryable' or u.project = n.project)
group by u.day, u.destination, u.status, u.detail
order by u.day, u.destination, u.status, u.detail
