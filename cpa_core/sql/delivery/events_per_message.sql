-- How many events of each type and role has a message had so far, over all that was tagged?
select
  event_type, role,
  count(*) / (select sum(messages_asked) from tagged_conversations where outcome = 'ok') as rate
from tagged_events
group by event_type, role
having (select sum(messages_asked) from tagged_conversations where outcome = 'ok') > 0
