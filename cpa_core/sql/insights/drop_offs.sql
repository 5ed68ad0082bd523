-- After which paths do conversations end, by unit and turn? Part 0 is every step.
-- Of the conversations that end with a path, the good ones of the scored ones are the part -1 - path; the part -1 is all
-- scored conversations.
create or replace temp table compared_rows as
with counted as (
  select
    part, unit, layer,
    count(*)::double as cases,
    (count(*) filter (where has_ended))::double as ends,
    (count(*) filter (where has_ended and is_scored))::double as scored,
    (count(*) filter (where has_ended and is_good))::double as good
  from path_steps
  group by all
)
select part, unit, layer, cases, ends, null::double as score_sum from counted
union all
select -1 - part, unit, 0, sum(scored), sum(good), null
from counted
where part > 0
group by part, unit
having sum(scored) > 0
union all
select -1, unit, 0, count(score), count(*) filter (where is_good), null
from chosen
group by unit
having count(score) > 0
