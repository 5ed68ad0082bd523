-- Which days hold conversations that have landed and been quiet for long enough, and none that is built?
select c.day
from landed_conversations c
where c.ended_at <= $settled
group by c.day
having not exists (select 1 from raw_conversations r where r.day = c.day)
order by c.day
