-- Which conversations show each transition? The lowest scores first, at the later event; null is a beginning or an end.
with pairs as (
  select before as earlier, kind as later, kind, n, position from chosen_events
  union all
  select kind as earlier, null as later, kind, n, position from chosen_events where after is null
),
first_of_each as (
  select earlier, later, any_value(kind) as kind, n, min(position) as position from pairs group by earlier, later, n
),
ranked as (
  select f.earlier, f.later, f.kind, f.position, c.day, c.conversation_id, c.score,
    row_number() over (partition by f.earlier, f.later order by c.score nulls last, f.n) as place
  from first_of_each f
  join chosen c on c.n = f.n
)
select r.earlier, r.later, r.day, r.conversation_id, r.score, q.event_id, r.position, q.quote_start, q.quote_end
from ranked r
join quoted q on q.day = r.day and q.conversation_id = r.conversation_id and q.position = r.position and q.kind = r.kind
where r.place <= $most
order by r.earlier, r.later, r.place
