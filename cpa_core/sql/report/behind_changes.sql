-- Which conversations are behind the figures before and after a change?
with sided as (
  select s.place, c.*, case when c.day < $day then 'before' else 'after' end as side
  from chosen c
  join sampled s on s.n = c.n
),
keyed as (
  select place, unnest([
    side || ':messages_per_conversation',
    case when score is not null then side || ':score' end,
    case when is_good then side || ':good' end,
    case when is_bad then side || ':bad' end,
    case when has_dealbreaker then side || ':with_dealbreaker' end
  ]) as key
  from sided
  union
  select d.place, d.side || ':event:' || e.kind from chosen_events e join sided d on d.n = e.n
)
select 'change:' || $day::varchar || ':' || key as key, count(*) as total, min(place, $most) as places
from keyed
where key is not null
group by key
