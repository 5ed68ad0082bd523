-- Whose messages do the objects hold that are replaced now?
insert into touched select distinct conversation_id
from landed_messages
where uri in (select uri from fresh where problem is null)
