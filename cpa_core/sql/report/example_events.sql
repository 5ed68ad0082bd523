-- Which events happened in the conversations that serve as examples?
select s.place, e.position, k.kind, k.event_type, e.event_type as written, e.role, e.properties, e.quote,
  e.quote_start, e.quote_end, e.because, e.schema_version
from sampled s
join chosen c on c.n = s.n
join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
left join known_names w
  on w.schema_version = e.schema_version and w.role = e.role and w.event_type = e.event_type
join chosen_kinds k on k.role = e.role and k.event_type = coalesce(w.name, e.event_type)
where list_contains($places::bigint[], s.place) and c.tag_outcome = 'ok'
order by s.place, e.position, e.quote_start nulls last, k.kind
