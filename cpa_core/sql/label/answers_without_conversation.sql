-- How many answers are about conversations that no built day holds, and how many such conversations are there?
select count(*) as answers, count(distinct a.conversation_id) as conversations
from answers a
left join (select distinct conversation_id from raw_conversations) r on r.conversation_id = a.conversation_id
where a.day is not null and r.conversation_id is null
