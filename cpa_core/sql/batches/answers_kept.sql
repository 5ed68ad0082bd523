-- Which answers of this batch are stored already?
select request_hash from answers where run_id = $key
