-- Which conversations show each transition? The lowest scores first, at the later event; null is a beginning or an end.
with pairs as (
  select before as earlier, kind as later, n, position, place from chosen_events
  union all
  select kind as earlier, null as later, n, position, place from chosen_events where after is null
),
first_of_each as (
  select earlier, later, n, arg_min(place, position) as place from pairs group by earlier, later, n
),
ranked as (
  select * from first_of_each qualify row_number() over (partition by earlier, later order by n) <= $most
)
select r.earlier, r.later, c.day, c.conversation_id, c.score, e.event_id, e.position, e.quote_start, e.quote_end
from ranked r
join chosen c on c.n = r.n
join tagged_events e on e.rowid = r.place
order by r.earlier, r.later, r.n
