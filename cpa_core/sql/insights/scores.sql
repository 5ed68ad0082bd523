-- How are the scores spread, in tenths of the scale, in all or on each day?
select
  case when $by_day then day end as day,
  least(floor(score / 10), 9)::integer * 10 as score_from,
  count(*) as conversations
from chosen
where score is not null
group by all
order by day, score_from
