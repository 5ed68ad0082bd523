-- Which types does a reviewer see in this message, with whose first quote and properties, and do all reviewers see them?
select
  any_value(name) as name,
  first(quote order by reviewed_at, review_id) filter (where present) as quote,
  coalesce(first(properties order by reviewed_at, review_id) filter (where present), '{}') as properties,
  bool_and(present) as is_agreed
from gold_labels
where kind = 'event' and blind and queue <> $adjudicated
  and conversation_id = $conversation and message_id = $message
group by key
having bool_or(present)
order by key
