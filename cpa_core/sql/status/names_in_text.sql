-- Which ids of conversations and users stand in this text?
with names as (
  select conversation_id as name from landed_messages
  union
  select user_id from landed_messages
  union
  select conversation_id from raw_conversations
)
select name from names where length(name) >= $least and contains($text, name)
