-- What are the messages of this day's conversations, in order?
insert into messages by name
select
  r.day,
  m.conversation_id,
  m.message_id,
  row_number() over (partition by m.conversation_id order by m.sent_at, m.uri, m.ordinal) - 1 as position,
  m.role,
  m.content,
  m.sent_at
from raw_conversations r
join landed_messages m on m.conversation_id = r.conversation_id and m.superseded_at is null
where r.day = $day
