-- These topics (a JSON array of ids) belong to this group.
update topics set group_id = $group
where corpus = $corpus and topic_id in (select unnest(from_json($topics::json, '["varchar"]')))
