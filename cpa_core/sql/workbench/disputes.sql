-- Of which messages do reviewers say different things, without an adjudication yet? One row a type of a message.
select
  l.conversation_id, l.message_id, l.key, any_value(l.name) as name, any_value(l.role) as role,
  list(l.reviewer order by l.reviewer) filter (where l.present) as present,
  list(l.reviewer order by l.reviewer) filter (where not l.present) as absent
from (
  select conversation_id, message_id, key, reviewer,
    last(present order by reviewed_at, review_id) as present, any_value(name) as name, any_value(role) as role
  from gold_labels
  where kind = 'event' and blind and queue <> $adjudicated
    and (conversation_id, message_id, key) not in (
      select (conversation_id, message_id, key) from gold_labels where queue = $adjudicated and message_id is not null
    )
  group by conversation_id, message_id, key, reviewer
) as l
group by l.conversation_id, l.message_id, l.key
having count(distinct l.present) > 1
order by l.conversation_id, l.message_id, l.key
