-- Which known conversations end with one of these links, or have one of these ends on their way? The oldest first, and who holds them.
with asked as (
  select unnest(from_json($links::json, '["bigint"]')) as link
),
asked_ends as (
  select unnest(from_json($ends::json, '["bigint"]')) as link
),
-- A conversation that has a link of a record begins as that record does; a call is asked for by its end and history only.
near as (
  select * from known_conversations where kind not in ('conversation', 'trace') or opening in (select link from asked)
),
shared as (
  select conversation_id from near where links[-1] in (select link from asked)
  union
  select conversation_id
  from (select conversation_id, unnest(links) as link from near)
  where link in (select link from asked_ends)
),
held as (
  select distinct conversation_id
  from landed_messages
  where conversation_id in (select conversation_id from shared)
    and uri not in (select unnest(from_json($uris::json, '["varchar"]')))
)
select
  n.conversation_id, n.kind, n.user_id, n.started_at, n.day, n.links, n.said, n.basis, n.number, n.last_at, n.headless,
  h.conversation_id is null as vacant
from near n
join shared using (conversation_id)
left join held h using (conversation_id)
order by n.started_at nulls last, n.day, n.basis, n.number
