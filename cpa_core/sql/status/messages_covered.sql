-- Of the messages that were asked about on each of these days, how many have an event?
with asked as (
  select day, sum(messages_asked)::bigint as messages
  from tagged_conversations
  where list_contains($days::date[], day) and outcome = 'ok'
  group by day
),
found as (
  select day, count(distinct (conversation_id, message_id)) as messages
  from tagged_events
  where list_contains($days::date[], day)
  group by day
)
select a.day, a.messages as asked, coalesce(f.messages, 0) as with_events
from asked a
left join found f on f.day = a.day
order by a.day
