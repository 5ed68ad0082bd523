-- A known topic lies in a space of other vectors from now on.
update topics
set space_id = $space_id, centre = $centre, radius = $radius
where topic_id = $topic_id and corpus = $corpus
