-- At which message of a conversation does friction show? Of the conversations that have a message there.
with friction as (
  select distinct n, position from chosen_events where list_contains($kinds::integer[], kind)
),
reached as (
  select p.position, count(*) as messages
  from range($most::integer) as p(position)
  join chosen c on c.message_count > p.position
  where c.tag_outcome = 'ok'
  group by p.position
)
select r.position, r.messages, count(f.n) as with_friction
from reached r
left join friction f on f.position = r.position
group by r.position, r.messages
order by r.position
