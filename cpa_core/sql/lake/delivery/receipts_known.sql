-- What became of these events at this destination so far, and when was each version of them withdrawn? (Postgres)
with known as (
  select *
  from upload_receipts
  where destination = $destination and project = $project
    and event_id = any(array(select json_array_elements_text($events::json)))
)
select u.*, (
    select max(w.receipted_at)
    from upload_receipts w
    where w.withdraws = u.payload_hash and w.destination = u.destination and w.project = u.project
      and w.status in ('pending', 'unknown', 'accepted', 'accepted_warning')
  ) as withdrawn_at
from known u
order by u.receipted_at
