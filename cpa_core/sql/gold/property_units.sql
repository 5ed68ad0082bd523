-- How often does the tagger give an event the value of a property that people give it, where both see the event?
with people as (
  select g.key, g.conversation_id, g.message_id, g.user_id, g.part, g.property_definitions,
    unnest(map_entries(g.properties::map(varchar, varchar))) as entry
  from gold_now g
  where g.kind = 'event' and g.present and not g.is_chosen_for_doubt
),
tagged as (
  select distinct e.conversation_id, e.message_id, k.key
  from tagged_events e
  join known_names k on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
  where e.conversation_id in (select conversation_id from gold_now)
),
valued as (
  select distinct e.conversation_id, e.message_id, k.key, p.name, e.entry.value as value
  from (
    select *, unnest(map_entries(properties::map(varchar, varchar))) as entry
    from tagged_events
    where conversation_id in (select conversation_id from gold_now)
  ) as e
  join known_names k on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
  join known_properties p
    on p.schema_version = e.schema_version and p.role = e.role and p.event_type = e.event_type
    and p.property = e.entry.key
)
select
  h.key, h.entry.key as property, h.conversation_id, any_value(h.user_id) as user_id, h.part,
  (h.property_definitions::map(varchar, varchar))[h.entry.key] as definition,
  count(*) as events,
  count(*) filter (where v.value = h.entry.value) as same
from people h
join tagged t on t.conversation_id = h.conversation_id and t.message_id = h.message_id and t.key = h.key
left join valued v
  on v.conversation_id = h.conversation_id and v.message_id = h.message_id and v.key = h.key and v.name = h.entry.key
group by h.key, h.entry.key, h.conversation_id, h.part, definition
order by h.key, property, h.conversation_id
