-- What is known beside their messages of the conversations of this day, which may name people?
select distinct r.conversation_id, r.user_id, unnest([r.metadata::varchar, m.metadata::varchar]) as metadata
from raw_conversations r
left join landed_messages m on m.conversation_id = r.conversation_id and m.superseded_at is null
where r.day = $day
order by all
