-- Which events happened in the conversations that serve as examples?
select s.place, e.position, o.kind, k.event_type, e.event_type as written, e.role, e.properties, e.quote,
  e.quote_start, e.quote_end, e.because, e.schema_version
from sampled s
join chosen c on c.n = s.n
join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
join chosen_events o on o.n = c.n and o.event_id = e.event_id
join chosen_kinds k on k.kind = o.kind
where list_contains($places::bigint[], s.place)
order by s.place, e.position, e.quote_start nulls last, e.event_type
