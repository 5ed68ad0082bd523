-- Which corpus is a topic of?
select corpus from topics where topic_id = $topic
