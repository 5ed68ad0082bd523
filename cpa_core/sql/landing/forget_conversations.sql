-- These conversations are decided anew.
delete from known_conversations where conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
