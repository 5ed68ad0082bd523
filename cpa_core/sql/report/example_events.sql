-- Which events happened in the conversations that serve as examples?
select s.place, e.position, k.kind, k.event_type, e.event_type as written, e.role, e.properties, e.quote,
  e.quote_start, e.quote_end, e.because, e.schema_version
from sampled s
join chosen c on c.n = s.n
join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
join written_kinds w
  on w.role = e.role and w.event_type = e.event_type and w.schema_version is not distinct from e.schema_version
join chosen_kinds k on k.kind = w.kind
where list_contains($places::bigint[], s.place) and c.tag_outcome = 'ok'
order by s.place, e.position, e.quote_start nulls last, k.kind
