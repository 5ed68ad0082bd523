-- A topic gets this name from a person, and a description if there is one.
update topics
set topic_name = $name, description = coalesce($description, description), named_by = 'person', told_apart = null
where topic_id = $topic
