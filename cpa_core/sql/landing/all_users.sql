-- Which users are known by a person's id?
insert into users select distinct user_id from landed_messages where by_user
