-- Which messages of these conversations are known by their user alone, whose conversation was cut by silence?
select user_id, sent_at, content
from landed_messages
where by_user and conversation_id in (select unnest(from_json($ids::json, '["varchar"]'))) and conversation_id <> user_id
