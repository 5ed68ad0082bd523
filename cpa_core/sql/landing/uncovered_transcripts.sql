-- In which messages of the tagged conversations did nothing of the schema happen?
select m.conversation_id, r.user_id, m.message_id, m.role, m.content, m.sent_at
from raw_conversations r
join tagged_conversations t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
join messages m on m.day = r.day and m.conversation_id = r.conversation_id
left join tagged_events e
  on e.day = m.day and e.conversation_id = m.conversation_id and e.position = m.position
where t.outcome = 'ok' and m.role in ('user', 'assistant') and e.event_id is null
order by m.conversation_id, m.position
