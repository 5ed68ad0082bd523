-- Which of these conversations have landed?
select distinct conversation_id
from landed_messages
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
