-- How many messages of each labelled conversation have each event type by people, by the tagger, by both? Beside it:
-- whether people read every message of the role, and which schema, prompt and model tagged it.
with tagged as (
  select distinct e.conversation_id, e.message_id, k.key
  from tagged_events e
  join known_names k on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
  where e.conversation_id in (select conversation_id from gold_now)
),
spoken as (
  select conversation_id, role, count(*) as messages
  from messages
  where conversation_id in (select conversation_id from gold_now)
  group by conversation_id, role
)
select
  g.key, g.conversation_id, g.part,
  any_value(g.day) as day,
  any_value(g.user_id) as user_id,
  any_value(s.messages) as messages,
  count(*) as labelled,
  count(*) = any_value(s.messages) as is_whole,
  count(*) filter (where g.present) as gold,
  count(*) filter (where t.message_id is not null) as tagged,
  count(*) filter (where g.present and t.message_id is not null) as agreed,
  any_value(g.draws) as draws,
  any_value(a.outcome) = 'ok' as is_tagged,
  any_value(a.schema_version) as schema_version,
  any_value(a.prompt_id) as prompt_id,
  any_value(a.model) as model,
  any_value(c.n) as n
from gold_now g
join spoken s on s.conversation_id = g.conversation_id and s.role = g.role
left join tagged t
  on t.conversation_id = g.conversation_id and t.message_id = g.message_id and t.key = g.key
join raw_conversations r on r.conversation_id = g.conversation_id
left join tagged_conversations a
  on a.day = r.day and a.conversation_id = r.conversation_id and a.content_hash = r.content_hash
left join chosen c on c.conversation_id = g.conversation_id
where g.kind = 'event' and not g.is_chosen_for_doubt
group by g.key, g.conversation_id, g.part
order by g.key, g.conversation_id
