-- Which conversations show each kind of event? The lowest scores first, each with the event's first quote.
with first_of_each as (
  select e.kind, e.n, arg_min(e.event_id, (e.position, e.event_id)) as event_id
  from chosen_events e
  where $kinds::integer[] is null or list_contains($kinds::integer[], e.kind)
  group by e.kind, e.n
),
ranked as (
  select f.kind, f.event_id, c.day, c.conversation_id, c.score,
    row_number() over (partition by f.kind order by c.score nulls last, f.n) as place
  from first_of_each f
  join chosen c on c.n = f.n
)
select r.kind, r.day, r.conversation_id, r.score, e.event_id, e.position, e.quote_start, e.quote_end
from ranked r
join tagged_events e on e.day = r.day and e.conversation_id = r.conversation_id and e.event_id = r.event_id
where r.place <= $most
order by r.kind, r.place
