-- Which conversations are behind the figures on paths: their last events, and the steps after which they ended?
with ends as (
  select e.*, c.is_bad, c.is_good from chosen_events e join chosen c on c.n = e.n where e.after is null
),
keyed as (
  select n, 'ending:' || coalesce(before_that, 0) || ':' || coalesce(before, 0) || ':' || kind as key from ends
  union all
  select n, 'bad-ending:' || coalesce(before_that, 0) || ':' || coalesce(before, 0) || ':' || kind from ends where is_bad
  union all
  select n, 'good-ending:' || coalesce(before_that, 0) || ':' || coalesce(before, 0) || ':' || kind
  from ends where is_good
  union all
  select n, 'ended:' || kind from ends
  union all
  select n, 'ended:' || before || ':' || kind from ends where before is not null
  union all
  select n, 'ended:' || before_that || ':' || before || ':' || kind from ends where before_that is not null
)
select k.key, count(*) as total, min(s.place, $most) as places
from keyed k
join sampled s on s.n = k.n
group by k.key
