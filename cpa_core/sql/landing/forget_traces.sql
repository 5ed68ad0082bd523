-- These traces are decided anew.
delete from known_traces where trace_id in (select unnest(from_json($ids::json, '["varchar"]')))
