-- Remove the receipts of these events and payloads at a destination. (Postgres)
delete from upload_receipts u
using unnest(%(ids)s::text[], %(hashes)s::text[]) as gone (event_id, payload_hash)
where u.destination = %(destination)s and u.project = %(project)s
  and u.event_id = gone.event_id and u.payload_hash = gone.payload_hash
