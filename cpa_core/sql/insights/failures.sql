-- What failed in these conversations, and can it pass?
select f.stage, f.reason, f.retryable, count(*) as conversations
from failures f
join chosen c on c.day = f.day and c.conversation_id = f.conversation_id
group by all
order by conversations desc, f.stage, f.reason
