-- What was said in these conversations of a day (a JSON array of ids), in order?
select m.conversation_id, list(m.content order by m.position) as said
from messages m
join (select unnest(from_json($conversations::json, '["varchar"]')) as conversation_id) w
  on w.conversation_id = m.conversation_id
where m.day = $day
group by m.conversation_id
