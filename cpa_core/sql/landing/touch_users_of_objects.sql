-- Which users are known by a person's id in these objects?
insert into users select distinct user_id
from landed_messages
where by_user and uri in (select uri from fresh where problem is null)
