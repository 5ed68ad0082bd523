-- Whose messages are told again by a later call?
insert into touched select distinct conversation_id from outdated
