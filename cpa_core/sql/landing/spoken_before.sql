-- What are the made ids of the spoken messages of conversations that go on, by their place in each object?
create or replace temp table spoken_before as
select
  conversation_id, role, content, message_id,
  row_number() over (partition by conversation_id, uri order by sent_at, ordinal) as nth
from landed_messages
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
  and role in ('user', 'assistant') and trim(content) <> '' and not id_given and superseded_at is null
