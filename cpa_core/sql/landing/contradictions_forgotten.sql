-- Forget the contradictions of the shared conversations: those that still hold are recorded again.
delete from rejected_records
where reason = $reason
  and (uri, place) in (
    select (uri, place) from landed_messages where conversation_id in (select conversation_id from shared)
  )
