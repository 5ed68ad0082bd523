-- Which types does a reviewer see in this message, with whose first quote and properties, and do all reviewers see them?
select
  any_value(name) as name,
  first(quote order by reviewed_at, review_id) filter (where present) as quote,
  coalesce(first(properties order by reviewed_at, review_id) filter (where present), '{}') as properties,
  bool_and(present) as is_agreed
from (
  select *
  from gold_labels
  where kind = 'event' and blind and conversation_id = $conversation and message_id = $message
  qualify row_number() over (
    partition by key, reviewer, queue = $adjudicated order by reviewed_at desc, review_id desc
  ) = 1
)
where queue <> $adjudicated
group by key
having bool_or(present)
order by key
