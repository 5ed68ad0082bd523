-- Which conversations end with these events ($paths: lists of at most three kinds)? The lowest scores first.
with wanted as (select unnest($paths::integer[][]) as path),
ends as (
  select w.path, c.n, c.day, c.conversation_id, c.score, e.event_id
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
select r.path, r.day, r.conversation_id, r.score, e.event_id, e.position, e.quote_start, e.quote_end
from ranked r
join tagged_events e on e.day = r.day and e.conversation_id = r.conversation_id and e.event_id = r.event_id
where r.place <= $most
order by r.path, r.place
