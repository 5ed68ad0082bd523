-- A group of topics gets this name from a person.
update topic_groups set group_name = $name, named_by = 'person' where group_id = $topic
