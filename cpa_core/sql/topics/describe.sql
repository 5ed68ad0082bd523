-- A topic gets name and description from a model, unless somebody has named it meanwhile.
update topics
set topic_name = $name, description = $description, named_by = $model, told_apart = $told
where topic_id = $topic and corpus = $corpus and named_by is null
