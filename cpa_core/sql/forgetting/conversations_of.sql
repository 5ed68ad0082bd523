-- Which conversations are these, or have a row of one of these users?
with everything as (
  select conversation_id, user_id from landed_messages
  union all
  select conversation_id, user_id from raw_conversations
  union all
  select conversation_id, user_id from known_conversations where kind <> 'followed'
  union all
  select conversation_id, user_id from known_traces
  union all
  select conversation_id, distinct_id from upload_receipts where identified
)
select distinct conversation_id
from everything
where conversation_id is not null
  and (
    conversation_id in (select unnest(from_json($conversations::json, '["varchar"]')))
    or user_id in (select unnest(from_json($users::json, '["varchar"]')))
  )
order by conversation_id
