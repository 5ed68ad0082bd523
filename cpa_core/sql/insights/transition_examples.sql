-- Which conversations show each transition? The lowest scores first, at the later event; null is a beginning or an end.
with pairs as (
  select before as earlier, kind as later, n, event_id, position from chosen_events
  union all
  select kind as earlier, null as later, n, event_id, position from chosen_events where after is null
),
first_of_each as (
  select earlier, later, n, arg_min(event_id, (position, event_id)) as event_id from pairs group by all
),
ranked as (
  select f.earlier, f.later, f.event_id, c.day, c.conversation_id, c.score,
    row_number() over (partition by f.earlier, f.later order by c.score nulls last, f.n) as place
  from first_of_each f
  join chosen c on c.n = f.n
)
select r.earlier, r.later, r.day, r.conversation_id, r.score, e.event_id, e.position, e.quote_start, e.quote_end
from ranked r
join tagged_events e on e.day = r.day and e.conversation_id = r.conversation_id and e.event_id = r.event_id
where r.place <= $most
order by r.earlier, r.later, r.place
