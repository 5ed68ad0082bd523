-- On which days are these conversations?
select distinct day
from raw_conversations
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
order by day
