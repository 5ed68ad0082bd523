-- Which built conversations have this id, this handle, or an id that begins so? The exact one first.
select conversation_id
from raw_conversations
where starts_with(conversation_id, $name)
  or (starts_with($name, 'h-') and $name = 'h-' || left(sha256((select id from home) || '/' || conversation_id), 12))
order by conversation_id <> $name, conversation_id
limit $most
