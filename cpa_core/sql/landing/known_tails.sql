-- Which conversations that are chained from calls, or refused windows of them, end with one of these messages?
select
  conversation_id, kind, user_id, started_at, day, links, said, basis, number, last_at, headless, false as vacant
from known_conversations
where kind in ('call', 'window') and said[-1] in (select unnest(from_json($marks::json, '["bigint"]')))
order by last_at
