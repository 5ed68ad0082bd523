-- Which messages of the user have no event, in conversations that are tagged as they are now?
select m.day, m.conversation_id, m.message_id as place, m.content as text
from messages m
join raw_conversations c on c.day = m.day and c.conversation_id = m.conversation_id
join tagged_conversations t
  on t.day = c.day and t.conversation_id = c.conversation_id and t.content_hash = c.content_hash and t.outcome = 'ok'
anti join tagged_events e
  on e.day = m.day and e.conversation_id = m.conversation_id and e.message_id = m.message_id
where m.role = 'user' and trim(m.content) <> ''
order by m.day, m.conversation_id, m.message_id
