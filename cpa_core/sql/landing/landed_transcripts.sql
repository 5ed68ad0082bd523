-- What was said in every conversation that has landed?
select conversation_id, user_id, message_id, role, content, sent_at
from landed_messages
where superseded_at is null
order by conversation_id, sent_at, uri, ordinal
