-- On which day is this conversation?
select day from raw_conversations where conversation_id = $id
