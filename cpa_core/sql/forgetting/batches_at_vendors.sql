-- Which batches were handed to a vendor with questions about these conversations?
select distinct provider, batch_id, state
from batches
where batch_id is not null and list_has_any(conversation_ids, $gone::varchar[])
order by provider, batch_id
