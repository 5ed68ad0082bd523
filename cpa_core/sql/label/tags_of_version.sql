-- What are the events of the conversations that this version of the schema tagged on this day?
select e.*
from tagged_events e
join tagged_conversations t on t.day = e.day and t.conversation_id = e.conversation_id
where e.day = $day and t.schema_version = $version
order by e.conversation_id, e.position, e.event_id
