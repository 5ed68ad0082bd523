-- What is known beside their messages of these conversations of a day (a JSON array of ids), which may name people?
select distinct r.conversation_id, r.user_id, unnest([r.metadata::varchar, m.metadata::varchar]) as metadata
from raw_conversations r
join (select unnest(from_json($conversations::json, '["varchar"]')) as conversation_id) w
  on w.conversation_id = r.conversation_id
left join landed_messages m on m.conversation_id = r.conversation_id and m.superseded_at is null
where r.day = $day
order by all
