-- Whose messages have landed now?
insert into touched select distinct conversation_id
from landed_messages
where uri in (select uri from fresh)
