-- Which known conversations begin, or end, with what one of these links stands for? The oldest first, and who still holds them.
with asked as (
  select unnest($links::json::bigint[]) as link
),
near as (
  select * from known_conversations where opening in (select link from asked)
),
shared as (
  select distinct conversation_id
  from (select conversation_id, unnest(links) as link from near)
  where link in (select link from asked)
),
held as (
  select distinct conversation_id
  from landed_messages
  where conversation_id in (select conversation_id from shared)
    and uri not in (select unnest($uris::json::varchar[]))
)
select
  n.conversation_id, n.kind, n.user_id, n.started_at, n.day, n.links, n.said, n.basis, n.number, n.last_at, n.headless,
  h.conversation_id is null as vacant
from near n
join shared using (conversation_id)
left join held h using (conversation_id)
order by n.started_at nulls last, n.day, n.basis, n.number
