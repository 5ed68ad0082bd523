-- Which are the last three events of conversations that ended badly, and of those that ended well?
with counted as (
  select
    e.before_that, e.before, e.kind,
    count(*) as conversations,
    count(c.score) as scored,
    count(*) filter (where c.is_bad) as bad,
    count(*) filter (where c.is_good) as good
  from chosen_events e
  join chosen c on c.n = e.n
  where e.after is null
  group by all
)
select *
from counted
qualify row_number() over (order by bad desc, conversations desc, before_that, before, kind) <= $most
  or row_number() over (order by good desc, conversations desc, before_that, before, kind) <= $most
order by bad desc, conversations desc, before_that, before, kind
