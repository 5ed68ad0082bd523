-- How many messages that are asked about, and conversations, do these days hold?
select
  (select count(*) from messages where list_contains($days::date[], day) and role in ('user', 'assistant')) as messages,
  (select count(*) from raw_conversations where list_contains($days::date[], day)) as conversations
