-- Which rows of the shared conversations are recorded as contradicting another?
select uri, etag, place
from rejected_records
where reason = $reason
  and (uri, place) in (
    select (uri, place) from landed_messages where conversation_id in (select conversation_id from shared)
  )
