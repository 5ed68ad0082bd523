-- What became of these events (a JSON array of ids: binding a long list takes minutes) at this destination so far?
select
  destination, project, event_id, payload_hash, sent_id, event_name, day, status, http_status, detail, attempts,
  sent_timestamp, batch_id, receipted_at
from upload_receipts
where destination = $destination and project = $project
  and event_id in (select unnest(from_json($events::json, '["varchar"]')))
order by receipted_at
