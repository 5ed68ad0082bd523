-- How many ids were made of each of these bases?
select basis, max(number) + 1 as given
from known_conversations
where basis in (select unnest(from_json($bases::json, '["varchar"]')))
group by basis
