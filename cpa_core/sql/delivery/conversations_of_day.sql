-- Which conversations has the day, in order?
select conversation_id, message_count, started_at, ended_at
from raw_conversations
where day = $day
order by started_at, conversation_id
