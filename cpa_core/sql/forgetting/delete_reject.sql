-- One rejected record is forgotten.
delete from rejected_records where uri = $uri and place = $place and raw is not distinct from $raw
