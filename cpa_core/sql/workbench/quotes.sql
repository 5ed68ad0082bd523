-- Which quotes of each event type can stand for it? Three a type, of different conversations, chosen by a hash.
with quoted as (
  select
    role, event_type, conversation_id, position, quote,
    row_number() over (partition by role, event_type, conversation_id order by position, event_id) as nth_of_conversation
  from tagged_events
  where quote is not null
)
select role, event_type, conversation_id, position, quote
from quoted
where nth_of_conversation = 1
qualify row_number() over (partition by role, event_type order by md5(conversation_id)) <= 3
order by role, event_type, md5(conversation_id)
