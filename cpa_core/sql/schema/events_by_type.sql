-- How many events of each type are there, in how many conversations?
select role, event_type, count(*) as events, count(distinct conversation_id) as conversations
from tagged_events
group by role, event_type
