-- The words of these answers are forgotten; what they cost is kept.
update answers
set conversation_id = null, answer = null, detail = null, request_hash = ''
where answer_id in (select unnest(from_json($ids::json, '["varchar"]')))
