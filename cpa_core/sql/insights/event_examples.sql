-- Which conversations show each kind of event? The lowest scores first, each with the event's first quote.
with first_of_each as (
  select kind, n, min(position) as position
  from chosen_events
  where $kinds::integer[] is null or list_contains($kinds::integer[], kind)
  group by kind, n
),
ranked as (
  select f.kind, f.position, c.day, c.conversation_id, c.score,
    row_number() over (partition by f.kind order by c.score nulls last, f.n) as place
  from first_of_each f
  join chosen c on c.n = f.n
)
select r.kind, r.day, r.conversation_id, r.score, q.event_id, r.position, q.quote_start, q.quote_end
from ranked r
join quoted q on q.day = r.day and q.conversation_id = r.conversation_id and q.position = r.position and q.kind = r.kind
where r.place <= $most
order by r.kind, r.place
