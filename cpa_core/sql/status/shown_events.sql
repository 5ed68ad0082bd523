-- Which events happened in this conversation?
select e.position, e.event_type, e.properties, e.quote, e.quote_start, e.quote_end, e.because
from tagged_events e
join raw_conversations r on r.day = e.day and r.conversation_id = e.conversation_id
where e.conversation_id = $conversation
order by e.position, e.nth, e.quote_start, e.event_type
