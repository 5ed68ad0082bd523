-- How many conversations does each of these days have?
select day, count(*) as conversations
from raw_conversations
where day in (select unnest(from_json($days::json, '["date"]')))
group by day
