-- Which events happened how often, by role, in all or on each day? In how many conversations, and how did those end?
with met as (
  select n, kind, count(*) as events from chosen_events group by n, kind
),
parts as (
  select
    case when $by_day then c.day end as day, m.kind, c.unit,
    sum(m.events) as events,
    count(*) as conversations,
    count(c.score) as scored,
    count(*) filter (where c.is_bad) as bad
  from met m
  join chosen c on c.n = m.n
  group by all
),
totals as (
  select day, kind, sum(scored) as all_scored from parts group by day, kind
),
tagged as (
  select day, unit, tagged, sum(tagged) over (partition by day) as all_tagged
  from (
    select case when $by_day then day end as day, unit, count(*) as tagged
    from chosen
    where tag_outcome = 'ok'
    group by all
  )
),
wholes as (
  select day, trials_by_unit(tagged, all_tagged) as whole from tagged group by day
),
counted as (
  select
    p.day, p.kind,
    sum(p.events)::bigint as events,
    sum(p.conversations)::bigint as conversations,
    sum(p.scored)::bigint as scored,
    sum(p.bad)::bigint as bad,
    hits_by_unit(p.conversations, t.tagged, t.all_tagged) as hit,
    by_unit(p.bad, p.scored, a.all_scored, p.scored) as of_bad
  from parts p
  join totals a on a.day is not distinct from p.day and a.kind = p.kind
  join tagged t on t.day is not distinct from p.day and t.unit = p.unit
  group by p.day, p.kind
)
select
  c.day, k.role, k.event_type, c.events, c.conversations, c.scored, c.bad,
  ratio_of(c.hit, w.whole, w.whole.trials) as of_tagged, c.of_bad
from counted c
join chosen_kinds k on k.kind = c.kind
join wholes w on w.day is not distinct from c.day
order by c.day, c.events desc, k.role, k.event_type
