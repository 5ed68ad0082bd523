-- How long are conversations, in messages and minutes, and how do they end?
with parts as (
  select length_from, unit, count(*) as conversations, count(score) as scored, count(*) filter (where is_bad) as bad
  from chosen
  group by all
),
minutes as (
  select length_from, median(epoch(ended_at) - epoch(started_at)) filter (where not time_assumed) / 60 as median_minutes
  from chosen
  group by length_from
)
select
  p.length_from,
  sum(p.conversations)::bigint as conversations,
  by_unit(p.bad, p.scored, p.all_scored, p.scored) as of_bad,
  any_value(m.median_minutes) as median_minutes
from (select *, sum(scored) over (partition by length_from) as all_scored from parts) as p
join minutes m on m.length_from = p.length_from
group by p.length_from
order by p.length_from
