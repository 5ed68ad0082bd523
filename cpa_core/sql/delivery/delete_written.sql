-- The earlier receipts of what is written now.
delete from upload_receipts
where destination = $name and project = $project
  and (event_id, payload_hash) in (select (event_id, payload_hash) from written)
