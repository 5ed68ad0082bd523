-- At which hour of which weekday (1 is Monday) do conversations begin, and how do they end?
with parts as (
  select
    isodow(started_at at time zone $zone) as weekday,
    hour(started_at at time zone $zone) as hour,
    unit,
    count(*) as conversations,
    count(score) as scored,
    count(*) filter (where is_bad) as bad
  from chosen
  where not time_assumed
  group by all
)
select
  weekday, hour,
  sum(conversations)::bigint as conversations,
  by_unit(bad, scored, all_scored, scored) as of_bad
from (select *, sum(scored) over (partition by weekday, hour) as all_scored from parts)
group by weekday, hour
order by weekday, hour
