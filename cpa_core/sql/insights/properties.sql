-- Which values had the properties of each event, in all or on each day? A value that is no choice is null: it is text.
with found as (
  select c.day, e.role, coalesce(w.name, e.event_type) as event_type, e.schema_version, e.event_type as written,
    unnest(map_entries(e.properties::map(varchar, varchar))) as entry
  from chosen c
  join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
  left join known_names w
    on w.schema_version = e.schema_version and w.role = e.role and w.event_type = e.event_type
  where c.tag_outcome = 'ok'
)
select
  case when $by_day then f.day end as day,
  f.role, f.event_type, coalesce(p.name, f.entry.key) as property,
  case when k.value is not null or f.entry.value = 'not applicable' then f.entry.value end as value,
  count(*) as events
from found f
left join known_choices k
  on k.schema_version = f.schema_version and k.role = f.role and k.event_type = f.written
  and k.property = f.entry.key and k.value = f.entry.value
left join known_properties p
  on p.schema_version = f.schema_version and p.role = f.role and p.event_type = f.written
  and p.property = f.entry.key
group by all
order by day, f.role, f.event_type, property, events desc, value
