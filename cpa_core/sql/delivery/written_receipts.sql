-- A table for the receipts that are written now.
create temp table written (event_id varchar, payload_hash varchar)
