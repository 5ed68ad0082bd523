-- The messages that a later call tells again.
delete from landed_messages where (uri, ordinal) in (select (uri, ordinal) from outdated)
