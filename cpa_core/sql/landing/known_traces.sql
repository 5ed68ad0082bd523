-- Which of these traces are known, and do other objects hold messages of their conversations?
with known as (
  select * from known_traces where trace_id in (select unnest(from_json($ids::json, '["varchar"]')))
),
held as (
  select distinct conversation_id
  from landed_messages
  where conversation_id in (select conversation_id from known)
    and uri not in (select unnest(from_json($uris::json, '["varchar"]')))
)
select k.trace_id, k.conversation_id, k.user_id, k.standing, h.conversation_id is null as vacant
from known k
left join held h using (conversation_id)
