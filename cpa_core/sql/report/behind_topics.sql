-- Which conversations are behind each topic, and behind each group of topics?
with keyed as (
  select distinct c.n, 'topic:' || i.corpus || ':' || coalesce(i.topic_id, '') as key
  from topic_items i
  join chosen c on c.day = i.day and c.conversation_id = i.conversation_id
  union
  select distinct c.n, 'topic-group:' || i.corpus || ':' || coalesce(t.group_id, i.topic_id, '') as key
  from topic_items i
  join chosen c on c.day = i.day and c.conversation_id = i.conversation_id
  left join topics t on t.corpus = i.corpus and t.topic_id = i.topic_id
)
select k.key, count(*) as total, min(s.place, $most) as places
from keyed k
join sampled s on s.n = k.n
group by k.key
