-- Which fresh messages were known under another made id, because their time was not known, or not so exactly?
with fresh_ones as (
  select
    conversation_id, uri, ordinal, role, content, message_id, id_given,
    row_number() over (partition by conversation_id, uri order by sent_at, ordinal) as nth
  from landed_messages
  where conversation_id in (select conversation_id from spoken_before)
    and uri in (select uri from fresh)
    and role in ('user', 'assistant') and trim(content) <> ''
),
renamed as (
  select f.uri, f.ordinal, min(b.message_id) as known_as
  from fresh_ones f
  join spoken_before b using (conversation_id, nth, role, content)
  where not f.id_given
  group by f.uri, f.ordinal
  having not bool_or(b.message_id = f.message_id)
)
update landed_messages
set message_id = renamed.known_as
from renamed
where landed_messages.uri = renamed.uri and landed_messages.ordinal = renamed.ordinal
