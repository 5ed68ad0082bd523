-- Which conversations end with these events ($paths: lists of at most three kinds)? The lowest scores first.
with wanted as (select unnest($paths::integer[][]) as path),
ends as (
  select w.path, e.n, e.place
  from chosen_events e
  join wanted w
    on w.path[-1] = e.kind
    and (len(w.path) < 2 or w.path[-2] = e.before)
    and (len(w.path) < 3 or w.path[-3] = e.before_that)
  where e.after is null
),
ranked as (
  select * from ends qualify row_number() over (partition by path order by n) <= $most
)
select r.path, c.day, c.conversation_id, c.score, e.event_id, e.position, e.quote_start, e.quote_end
from ranked r
join chosen c on c.n = r.n
join tagged_events e on e.rowid = r.place
order by r.path, r.n
