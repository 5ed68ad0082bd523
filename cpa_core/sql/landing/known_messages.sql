-- What do other objects hold of these conversations, in order?
select conversation_id, role, content, sent_at, coalesce(repeated, false) as repeated, history_length, history_mark,
  uri, ordinal
from landed_messages
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
  and superseded_at is null
  and uri not in (select unnest(from_json($uris::json, '["varchar"]')))
order by conversation_id, sent_at, uri, ordinal
