-- Which topic was each text of a corpus placed in? Null where no topic is near.
select item_id, topic_id from topic_items where corpus = $corpus
