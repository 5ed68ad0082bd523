-- Which topics are there, the largest first, and which of them have a name that is only made of words of their texts?
select t.corpus, t.topic_id, t.topic_name, t.description,
  t.named_by is null and t.topic_name in (array_to_string(t.words, ', '), t.topic_id) as is_unnamed
from topics t
left join (select corpus, topic_id, count(*) as items from topic_items group by corpus, topic_id) i
  on i.corpus = t.corpus and i.topic_id = t.topic_id
order by t.corpus, coalesce(i.items, 0) desc, t.topic_id
