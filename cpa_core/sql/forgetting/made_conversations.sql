-- Which of these conversations have an id that was made, and with what do they begin: a hash of all that was said so far?
select conversation_id, basis, links[-1] as link
from known_conversations
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]'))) and basis <> '' and conversation_id like 'c-%'
