-- At which hour of which weekday (1 is Monday) do conversations begin, and how do they end?
select
  isodow(started_at at time zone $zone) as weekday,
  hour(started_at at time zone $zone) as hour,
  count(*) as conversations,
  count(score) as scored,
  count(*) filter (where is_bad) as bad
from chosen
where not time_assumed
group by all
order by all
