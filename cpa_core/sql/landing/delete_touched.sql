-- The conversations that are counted anew.
delete from landed_conversations where conversation_id in (select conversation_id from touched)
