-- Which conversations show each kind of event? The lowest scores first, each with the event's first quote.
with first_of_each as (
  select kind, n, arg_min(place, position) as place
  from chosen_events
  where $kinds::integer[] is null or list_contains($kinds::integer[], kind)
  group by kind, n
),
ranked as (
  select * from first_of_each qualify row_number() over (partition by kind order by n) <= $most
)
select r.kind, c.day, c.conversation_id, c.score, e.event_id, e.position, e.quote_start, e.quote_end
from ranked r
join chosen c on c.n = r.n
join tagged_events e on e.rowid = r.place
order by r.kind, r.n
