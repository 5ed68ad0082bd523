-- How many events of each type has each of these days, in how many conversations?
select day, event_type, count(*) as events, count(distinct conversation_id) as conversations
from tagged_events
where list_contains($days::date[], day)
group by day, event_type
order by day, events desc, event_type
