-- Is there a user whose sessions may be cut anew?
select 1 from users limit 1
