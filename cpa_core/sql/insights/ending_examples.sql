-- Which conversations end with these events ($paths: lists of at most three kinds)? The lowest scores first.
with wanted as (select unnest($paths::integer[][]) as path),
ends as (
  select w.path, e.kind, e.position, c.n, c.day, c.conversation_id, c.score
  from chosen_events e
  join chosen c on c.n = e.n
  join wanted w
    on w.path[-1] = e.kind
    and (len(w.path) < 2 or w.path[-2] = e.before)
    and (len(w.path) < 3 or w.path[-3] = e.before_that)
  where e.after is null
),
ranked as (
  select *, row_number() over (partition by path order by score nulls last, n) as place from ends
)
select r.path, r.day, r.conversation_id, r.score, q.event_id, r.position, q.quote_start, q.quote_end
from ranked r
join quoted q on q.day = r.day and q.conversation_id = r.conversation_id and q.position = r.position and q.kind = r.kind
where r.place <= $most
order by r.path, r.place
