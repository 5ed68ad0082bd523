-- Which conversations are behind the figures on events: each kind, each day's, each pair, each position?
with pairs as (
  select n, before as earlier, kind as later from chosen_events
  union all
  select n, kind, null from chosen_events where after is null
),
keyed as (
  select n, 'event:' || kind as key from chosen_events
  union
  select e.n, 'scored-event:' || e.kind from chosen_events e join chosen c on c.n = e.n where c.score is not null
  union
  select e.n, 'bad-event:' || e.kind from chosen_events e join chosen c on c.n = e.n where c.is_bad
  union
  select e.n, 'mix:' || s.bucket || ':' || e.kind from chosen_events e join sampled s on s.n = e.n
  union
  select n, 'pair:' || coalesce(earlier, 0) || ':' || coalesce(later, 0) from pairs
  union
  select n, 'friction:' || position from chosen_events where list_contains($friction::integer[], kind)
)
select k.key, count(*) as total, min(s.place, $most) as places
from keyed k
join sampled s on s.n = k.n
group by k.key
