-- Which conversations are behind each topic?
with keyed as (
  select distinct c.n, 'topic:' || i.corpus || ':' || coalesce(i.topic_id, '') as key
  from topic_items i
  join chosen c on c.day = i.day and c.conversation_id = i.conversation_id
)
select k.key, count(*) as total, min(s.place, $most) as places
from keyed k
join sampled s on s.n = k.n
group by k.key
