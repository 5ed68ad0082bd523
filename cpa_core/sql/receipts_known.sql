-- What became of these events at this destination so far?
select event_id, payload_hash, status, attempts
from upload_receipts
where destination = $destination and project = $project and list_contains($events::varchar[], event_id)
