-- What do these conversations of a day hold, message by message?
select
  r.conversation_id, r.user_id, r.content_hash,
  m.message_id, m.position, m.role, m.content, m.sent_at
from raw_conversations r
join messages m on m.day = r.day and m.conversation_id = r.conversation_id
where r.day = $day and r.conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
order by r.started_at, r.conversation_id, m.position
