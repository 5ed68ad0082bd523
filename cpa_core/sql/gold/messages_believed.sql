-- What did the tagger say of each message of a role: does it have the label, is its quote missing, has it another event?
with events as (
  select e.day, e.conversation_id, e.message_id,
    bool_or(k.key = $key) as has_label,
    bool_or(k.key = $key and e.quote is null) as is_doubtful,
    bool_or(k.key <> $key) as has_other
  from tagged_events e
  join chosen c on c.day = e.day and c.conversation_id = e.conversation_id
  join known_names k on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
  where e.role = $role
  group by e.day, e.conversation_id, e.message_id
)
select
  m.conversation_id, m.message_id,
  coalesce(e.has_label, false) as has_label,
  coalesce(e.is_doubtful, false) as is_doubtful,
  coalesce(e.has_other, false) as has_other
from chosen c
join messages m on m.day = c.day and m.conversation_id = c.conversation_id
left join events e on e.day = m.day and e.conversation_id = m.conversation_id and e.message_id = m.message_id
where c.tag_outcome = 'ok' and m.role = $role
order by m.conversation_id, m.position
