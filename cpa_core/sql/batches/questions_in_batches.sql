-- Which questions are in batches whose answers are still to come?
select distinct unnest(request_hashes) as request_hash
from batches
where list_contains($awaited::varchar[], state)
