-- Which conversations began on this day, and have been quiet long enough?
insert into raw_conversations by name
select
  c.day,
  c.conversation_id,
  first(m.user_id order by m.sent_at, m.uri, m.ordinal) filter (where m.user_id is not null) as user_id,
  c.started_at,
  c.ended_at,
  count(*) as message_count,
  c.content_hash,
  bool_or(m.time_assumed) as time_assumed,
  any_value(c.metadata) as metadata
from landed_conversations c
join landed_messages m on m.conversation_id = c.conversation_id and m.superseded_at is null
where c.day = $day and c.ended_at <= $settled
group by c.day, c.conversation_id, c.started_at, c.ended_at, c.content_hash
