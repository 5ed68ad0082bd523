-- What does each conversation of this day hold, by its hash?
select conversation_id, content_hash from raw_conversations where day = $day
