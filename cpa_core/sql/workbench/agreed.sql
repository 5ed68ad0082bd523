-- Which types does every reviewer see in this message?
select any_value(name) as name
from gold_labels
where kind = 'event' and blind and queue <> $adjudicated
  and conversation_id = $conversation and message_id = $message
group by key
having bool_and(present)
order by key
