-- At which message of a conversation does friction show? Of the conversations that have a message there.
with friction as (
  select distinct n, position from chosen_events where list_contains($kinds::integer[], kind)
),
parts as (
  select p.position, c.unit, count(*) as messages, count(f.n) as with_friction
  from range($most::integer) as p(position)
  join chosen c on c.message_count > p.position
  left join friction f on f.n = c.n and f.position = p.position
  where c.tag_outcome = 'ok'
  group by p.position, c.unit
)
select
  position,
  sum(messages)::bigint as messages,
  by_unit(with_friction, messages, all_messages, messages) as of_messages
from (select *, sum(messages) over (partition by position) as all_messages from parts)
group by position
order by position
