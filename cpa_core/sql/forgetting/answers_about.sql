-- Which answers are about these conversations, or about none?
select answer_id, conversation_id, answer, detail
from answers
where conversation_id is null or conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
