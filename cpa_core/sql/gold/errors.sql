-- On which messages of the teaching part do people and the tagger differ about an event type, what has the tagger instead,
-- and what do people say of it?
with tagged as (
  select distinct e.conversation_id, e.message_id, k.key, k.name, e.quote
  from tagged_events e
  join known_names k on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
  where e.conversation_id in (select conversation_id from gold_now)
),
noted as (
  select conversation_id, message_id, string_agg(distinct note, '; ') as note
  from gold_labels
  where note <> ''
  group by conversation_id, message_id
),
people as (
  select g.conversation_id, g.message_id, g.key, g.position, g.present, q.quote, q.name
  from gold_now g
  join (
    select conversation_id, message_id, key, any_value(quote) as quote, any_value(name) as name
    from gold_labels
    group by conversation_id, message_id, key
  ) q on q.conversation_id = g.conversation_id and q.message_id = g.message_id and q.key = g.key
  where g.kind = 'event' and g.part = 'teach' and g.present is not null
),
differing as (
  select p.*, t.quote as tagged_quote, coalesce(n.note, '') as note
  from people p
  left join tagged t on t.conversation_id = p.conversation_id and t.message_id = p.message_id and t.key = p.key
  left join noted n on n.conversation_id = p.conversation_id and n.message_id = p.message_id
  where p.present <> (t.key is not null)
)
select
  d.key, d.name, d.present, d.conversation_id, d.message_id, d.position,
  coalesce(d.quote, d.tagged_quote) as quote, d.note,
  coalesce(min(o.name), '') as instead
from differing d
left join differing o
  on o.conversation_id = d.conversation_id and o.message_id = d.message_id and o.key <> d.key and o.present <> d.present
group by all
order by d.key, d.present, d.conversation_id, d.position
