-- Which texts has each topic of a corpus, from its centre outwards?
select topic_id, item_id
from topic_items
where corpus = $corpus and topic_id is not null
order by topic_id, distance, item_id
