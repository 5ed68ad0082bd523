-- Which conversations are these users' sessions?
insert into touched select distinct conversation_id
from landed_messages
where by_user and user_id in (select user_id from users)
