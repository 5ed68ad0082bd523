-- After how many messages of the user do conversations end, of those that go so far, in all or on each day?
with turns as (
  select c.n, c.day, c.unit, c.score, c.is_bad, count(m.position) as turns
  from chosen c
  left join messages m on m.day = c.day and m.conversation_id = c.conversation_id and m.role = 'user'
  group by all
),
parts as (
  select
    case when $by_day then day end as day, unit, turns,
    count(*) as conversations,
    count(score) as scored,
    count(*) filter (where is_bad) as bad
  from turns
  group by all
),
ends as (select distinct day, turns from parts),
reached as (
  select e.day, e.turns, p.unit, sum(p.conversations) as reached
  from ends e
  join parts p on p.day is not distinct from e.day and p.turns >= e.turns
  group by all
),
totalled as (
  select
    r.day, r.turns, r.unit, r.reached, sum(r.reached) over of_turn as all_reached,
    coalesce(p.conversations, 0) as conversations, coalesce(p.scored, 0) as scored, coalesce(p.bad, 0) as bad,
    sum(p.scored) over of_turn as all_scored
  from reached r
  left join parts p on p.day is not distinct from r.day and p.turns = r.turns and p.unit = r.unit
  window of_turn as (partition by r.day, r.turns)
)
select
  day, turns,
  sum(conversations)::bigint as conversations,
  sum(scored)::bigint as scored,
  sum(bad)::bigint as bad,
  by_unit(conversations, reached, all_reached, reached) as of_reached,
  by_unit(bad, scored, all_scored, scored) as of_bad
from totalled
group by day, turns
order by day, turns
