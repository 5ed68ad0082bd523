-- What was said in these conversations (a JSON array of ids), in order?
select r.day, m.conversation_id, m.message_id, m.role, m.content
from raw_conversations r
join messages m on m.day = r.day and m.conversation_id = r.conversation_id
where r.conversation_id in (select unnest(from_json($conversations::json, '["varchar"]')))
order by r.day, m.conversation_id, m.position
