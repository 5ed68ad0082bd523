-- How many conversations take each path, and how good are those that end with it?
with parts as (
  select part, unit, sum(cases) as scored, sum(ends) as good from compared_rows where part < -1 group by part, unit
),
ends as (
  select -1 - part as part, by_unit(good, scored, all_scored, scored) as of_scored
  from (select *, sum(scored) over (partition by part) as all_scored from parts)
  group by part
),
talks as (select part, count(distinct n) as conversations from path_steps group by part)
select t.part, t.conversations, e.of_scored
from talks t
left join ends e on e.part = t.part
order by t.part
