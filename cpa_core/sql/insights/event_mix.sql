-- Which events happened how often, by role, in all or on each day?
with met as (
  select n, kind, count(*) as events from chosen_events group by n, kind
)
select
  case when $by_day then c.day end as day,
  k.role, k.event_type,
  sum(m.events)::bigint as events,
  count(*) as conversations,
  count(c.score) as scored,
  count(*) filter (where c.is_bad) as bad
from met m
join chosen_kinds k on k.kind = m.kind
join chosen c on c.n = m.n
group by all
order by day, events desc, k.role, k.event_type
