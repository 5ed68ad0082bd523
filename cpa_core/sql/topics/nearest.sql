-- Which conversations are nearest to the centre of each topic?
select corpus, topic_id, day, conversation_id
from (
  select *, row_number() over (partition by corpus, topic_id order by distance, item_id) as place
  from topic_items
  where topic_id is not null
)
where place <= $most
order by corpus, topic_id, place
