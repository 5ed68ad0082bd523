-- What was said in this conversation?
select m.conversation_id, m.message_id, m.day, r.user_id, m.position, m.role, m.content, m.sent_at
from messages m
join raw_conversations r on r.day = m.day and r.conversation_id = m.conversation_id
where m.conversation_id = $conversation
order by m.position
