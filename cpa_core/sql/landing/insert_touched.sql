-- The conversations as they are now.
insert into landed_conversations by name select * from now_so
