-- What is the name of the topic or the group with this id?
select topic_name as name from topics where topic_id = $topic
union all
select group_name from topic_groups where group_id = $topic
