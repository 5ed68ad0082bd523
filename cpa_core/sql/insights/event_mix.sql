-- Which events happened how often, by role, in all or on each day?
select
  case when $by_day then e.day end as day,
  k.role, k.event_type,
  count(*) as events,
  count(distinct e.n) as conversations,
  count(distinct e.n) filter (where c.score is not null) as scored,
  count(distinct e.n) filter (where c.is_bad) as bad
from chosen_events e
join chosen_kinds k on k.kind = e.kind
join chosen c on c.n = e.n
group by all
order by day, events desc, k.role, k.event_type
