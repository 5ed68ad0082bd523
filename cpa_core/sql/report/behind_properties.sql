-- Which conversations are behind the values of properties? A value that is no choice is null: it is text.
with found as (
  select distinct c.n, w.kind, coalesce(a.name, p.entry.key) as property,
    case when k.value is not null or p.entry.value = 'not applicable' then p.entry.value end as value
  from chosen c
  join (
    select day, conversation_id, schema_version, role, event_type,
      unnest(map_entries(properties::map(varchar, varchar))) as entry
    from tagged_events
  ) p on p.day = c.day and p.conversation_id = c.conversation_id
  join written_kinds w
    on w.role = p.role and w.event_type = p.event_type and w.schema_version is not distinct from p.schema_version
  left join known_choices k
    on k.schema_version = p.schema_version and k.role = p.role and k.event_type = p.event_type
    and k.property = p.entry.key and k.value = p.entry.value
  left join known_properties a
    on a.schema_version = p.schema_version and a.role = p.role and a.event_type = p.event_type
    and a.property = p.entry.key
  where c.tag_outcome = 'ok'
)
select f.kind, f.property, f.value, count(*) as total, min(s.place, $most) as places
from found f
join sampled s on s.n = f.n
group by all
