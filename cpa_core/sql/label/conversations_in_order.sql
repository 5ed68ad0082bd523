-- Which conversations has the day, in order?
select conversation_id from raw_conversations where day = $day order by started_at, conversation_id
