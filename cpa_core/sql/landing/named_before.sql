-- Which conversations did an earlier version name by their first message, and what was said in them, object by object?
select
  m.conversation_id, m.uri, m.role, m.content, m.sent_at, m.time_assumed, m.user_id, f.untimed_day
from landed_messages m
left join landed_files f on f.uri = m.uri and f.etag = m.etag and f.replaced_at is null
where regexp_full_match(m.conversation_id, 'c-[0-9a-f]{20}-[0-9]+')
  and m.conversation_id not in (select conversation_id from known_conversations)
  and hash(m.conversation_id) % $parts = $part
order by m.conversation_id, m.uri, m.ordinal
