-- Which records were rejected?
select uri, place, reason, raw from rejected_records
