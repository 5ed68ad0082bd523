-- What was said in the conversations of this day, in order?
select conversation_id, content
from messages
where day = $day
order by conversation_id, position
