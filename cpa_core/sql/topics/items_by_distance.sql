-- Which texts are in a topic, the nearest to its centre first?
select item_id from topic_items where corpus = $corpus and topic_id = $topic order by distance, item_id
