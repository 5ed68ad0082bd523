-- Which days hold landed conversations that were not built yet or changed since, and how much is in them?
select
  l.day,
  count(distinct l.conversation_id)::bigint as conversations,
  count(m.message_id)::bigint as messages
from landed_conversations l
join days d on d.day = l.day and d.generation is distinct from d.built_generation
left join landed_messages m on m.conversation_id = l.conversation_id and m.superseded_at is null
group by l.day
order by l.day
