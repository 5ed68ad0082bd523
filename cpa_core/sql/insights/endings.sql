-- Which are the last three events of conversations that ended badly, and of those that ended well?
with parts as (
  select
    e.before_that, e.before, e.kind, c.unit,
    count(*) as conversations,
    count(c.score) as scored,
    count(*) filter (where c.is_bad) as bad,
    count(*) filter (where c.is_good) as good
  from chosen_events e
  join chosen c on c.n = e.n
  where e.after is null
  group by all
),
totalled as (
  select *, sum(scored) over (partition by before_that, before, kind) as all_scored from parts
),
ends as (
  select *, sum(bad) over () as all_bad, sum(good) over () as all_good
  from (
    select unit, count(*) filter (where is_bad) as bad, count(*) filter (where is_good) as good
    from chosen
    group by unit
  )
),
wholes as (
  select trials_by_unit(bad, all_bad) as bad, trials_by_unit(good, all_good) as good from ends
),
counted as (
  select
    t.before_that, t.before, t.kind,
    sum(t.conversations)::bigint as conversations,
    sum(t.bad)::bigint as bad,
    sum(t.good)::bigint as good,
    by_unit(t.bad, t.scored, t.all_scored, t.scored) as of_scored,
    hits_by_unit(t.bad, e.bad, e.all_bad) as bad_hit,
    hits_by_unit(t.good, e.good, e.all_good) as good_hit
  from totalled t
  join ends e on e.unit = t.unit
  group by t.before_that, t.before, t.kind
)
select
  c.before_that, c.before, c.kind, c.conversations, c.bad, c.good, c.of_scored,
  ratio_of(c.bad_hit, w.bad, w.bad.trials) as of_bad,
  ratio_of(c.good_hit, w.good, w.good.trials) as of_good
from counted c
cross join wholes w
qualify row_number() over (order by c.bad desc, c.conversations desc, c.before_that, c.before, c.kind) <= $most
  or row_number() over (order by c.good desc, c.conversations desc, c.before_that, c.before, c.kind) <= $most
order by c.bad desc, c.conversations desc, c.before_that, c.before, c.kind
