-- Which users spoke in these conversations?
select distinct conversation_id, user_id
from landed_messages
where
  conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
  and role = 'user'
  and user_id is not null
order by conversation_id, user_id
