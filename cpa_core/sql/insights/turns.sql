-- How many conversations have how many messages of the user, in all or on each day?
with turns as (
  select c.n, c.day, c.score, c.is_bad, count(m.position) as turns
  from chosen c
  left join messages m on m.day = c.day and m.conversation_id = c.conversation_id and m.role = 'user'
  group by c.n, c.day, c.score, c.is_bad
)
select
  case when $by_day then day end as day,
  turns,
  count(*) as conversations,
  count(score) as scored,
  count(*) filter (where is_bad) as bad
from turns
group by all
order by day, turns
