-- How many tagged conversations does the selection have, and how many messages of each role?
select m.role, count(*) as messages, count(distinct c.n) as conversations
from chosen c
join messages m on m.day = c.day and m.conversation_id = c.conversation_id
where c.tag_outcome = 'ok'
group by m.role
