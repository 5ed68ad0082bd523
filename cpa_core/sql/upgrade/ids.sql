-- Which ids does the home know? As a number for each, by what it names.
select 'conversations' as kind, hash(day, conversation_id) as id from raw_conversations
union
select 'messages', hash(conversation_id, message_id) from messages
union
select 'events', hash(event_id) from tagged_events
union
select 'receipts', hash(destination, project, event_id) from upload_receipts
