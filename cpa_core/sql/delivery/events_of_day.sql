-- The tagged events of these conversations of a day (a JSON array of ids) with what their payload needs; without the
-- words of the messages unless $text. ($first and $last bound the search for the metadata that came with messages.)
with wanted as (
  select unnest(from_json($conversations::json, '["varchar"]')) as conversation_id
),
noted as (
  select l.conversation_id, l.message_id, any_value(l.metadata::varchar) as metadata
  from landed_messages l
  join wanted w on w.conversation_id = l.conversation_id
  where l.superseded_at is null and l.metadata is not null and l.sent_at between $first and $last
  group by l.conversation_id, l.message_id
)
select
  e.day, e.event_id, e.conversation_id, e.message_id, r.user_id, e.role, e.event_type, e.properties,
  e.because, case when $text then m.content else '' end as content, m.sent_at, e.schema_version, e.model,
  n.metadata, r.metadata::varchar as conversation_metadata
from tagged_events e
join wanted w on w.conversation_id = e.conversation_id
join raw_conversations r on r.day = e.day and r.conversation_id = e.conversation_id
join messages m on m.day = e.day and m.conversation_id = e.conversation_id and m.position = e.position
left join noted n on n.conversation_id = e.conversation_id and n.message_id = e.message_id
where e.day = $day
order by m.sent_at, e.conversation_id, e.position, e.event_type
