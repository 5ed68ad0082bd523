-- How many messages of a role has each tagged conversation of the selection, and how many of them have the label?
with met as (
  select c.n, count(distinct e.position) as tagged
  from chosen_events e
  join chosen c on c.n = e.n
  join chosen_kinds k on k.kind = e.kind
  where k.role = $role and k.event_type = $event_type
  group by c.n
)
select c.conversation_id, c.user_id, count(*) as messages, coalesce(any_value(t.tagged), 0) as tagged
from chosen c
join messages m on m.day = c.day and m.conversation_id = c.conversation_id
left join met t on t.n = c.n
where c.tag_outcome = 'ok' and m.role = $role
group by c.conversation_id, c.user_id
