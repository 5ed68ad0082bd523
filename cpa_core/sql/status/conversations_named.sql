-- Which built conversations have this id, or an id that begins so? The exact one first.
select conversation_id
from raw_conversations
where starts_with(conversation_id, $name)
order by conversation_id <> $name, conversation_id
limit $most
