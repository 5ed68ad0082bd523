-- Where do the quotes of the events stand?
create temp view quoted as
select e.day, e.conversation_id, e.position, k.kind, e.event_id, e.quote_start, e.quote_end
from tagged_events e
left join known_names w
  on w.schema_version = e.schema_version and w.role = e.role and w.event_type = e.event_type
join chosen_kinds k on k.role = e.role and k.event_type = coalesce(w.name, e.event_type)
