-- What was said in the conversations that serve as examples?
select s.place, m.position, m.role, m.content
from sampled s
join chosen c on c.n = s.n
join messages m on m.day = c.day and m.conversation_id = c.conversation_id
where list_contains($places::bigint[], s.place)
order by s.place, m.position
