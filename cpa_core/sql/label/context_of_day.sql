-- What is the metadata of these conversations of a day (a JSON array of ids): their own, and that of their messages in
-- order?
select
  r.conversation_id, r.metadata::varchar as own,
  list(l.metadata::varchar order by l.sent_at, l.uri, l.ordinal) filter (l.metadata is not null) as of_messages
from raw_conversations r
join (select unnest(from_json($conversations::json, '["varchar"]')) as conversation_id) w
  on w.conversation_id = r.conversation_id
left join landed_messages l on l.conversation_id = r.conversation_id and l.superseded_at is null
where r.day = $day
group by r.conversation_id, own
