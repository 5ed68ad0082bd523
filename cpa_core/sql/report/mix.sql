-- Which events happened how often in each stretch of time?
select s.bucket, e.kind, count(*) as events
from chosen_events e
join sampled s on s.n = e.n
group by all
order by all
