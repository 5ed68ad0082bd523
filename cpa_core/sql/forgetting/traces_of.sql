-- Which traces were told in these conversations, under an id of their own?
select trace_id
from known_traces
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]'))) and trace_id <> conversation_id
order by trace_id
