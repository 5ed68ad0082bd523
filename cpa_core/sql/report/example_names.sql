-- What is known beside their messages of the conversations that serve as examples, which may name people?
select distinct s.place, c.user_id, unnest([r.metadata::varchar, m.metadata::varchar]) as metadata
from sampled s
join chosen c on c.n = s.n
join raw_conversations r on r.day = c.day and r.conversation_id = c.conversation_id
left join landed_messages m on m.conversation_id = c.conversation_id and m.superseded_at is null
where list_contains($places::bigint[], s.place)
order by all
