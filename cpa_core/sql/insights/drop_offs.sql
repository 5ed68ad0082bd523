-- After which paths of one, two or three events do conversations end? Layered by the turn.
with steps as (
  select e.before_that, e.before, e.kind, least(e.position // 2, 11) as layer, e.after is null as has_ended, c.score, c.is_good
  from chosen_events e
  join chosen c on c.n = e.n
  where e.ends_message
),
paths as (
  select null::integer as first_kind, null::integer as second_kind, null::integer as third_kind, * from steps
  union all
  select null, null, kind, * from steps
  union all
  select null, before, kind, * from steps where before is not null
  union all
  select before_that, before, kind, * from steps where before_that is not null
),
counted as (
  select
    first_kind, second_kind, third_kind, layer,
    count(*) as steps,
    count(*) filter (where has_ended) as ended,
    count(*) filter (where has_ended and score is not null) as ended_scored,
    count(*) filter (where has_ended and is_good) as ended_good
  from paths
  group by all
)
select *
from counted
qualify sum(steps) over (partition by first_kind, second_kind, third_kind) >= $enough
order by first_kind, second_kind, third_kind, layer
