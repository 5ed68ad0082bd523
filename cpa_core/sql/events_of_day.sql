-- The tagged events of these conversations of a day (a JSON array of ids) with what their payload needs; without the
-- words of the messages unless $text.
with wanted as (
  select unnest(from_json($conversations::json, '["varchar"]')) as conversation_id
)
select
  e.day, e.event_id, e.conversation_id, e.message_id, r.user_id, e.role, e.event_type, e.properties,
  e.because, case when $text then m.content else '' end as content, m.sent_at, e.schema_version, e.model
from tagged_events e
join wanted w on w.conversation_id = e.conversation_id
join raw_conversations r on r.day = e.day and r.conversation_id = e.conversation_id
join messages m on m.day = e.day and m.conversation_id = e.conversation_id and m.position = e.position
where e.day = $day
order by m.sent_at, e.conversation_id, e.position, e.event_type
