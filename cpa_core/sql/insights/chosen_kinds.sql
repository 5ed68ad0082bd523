-- Which kinds of event did the chosen conversations have, under their newest names?
create temp table chosen_kinds as
select row_number() over (order by role, event_type)::integer as kind, role, event_type
from (
  select distinct e.role, coalesce(k.name, e.event_type) as event_type
  from chosen c
  join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
  left join known_names k
    on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
  where c.tag_outcome = 'ok'
)
