-- How many messages have landed?
select count(*) as n from landed_messages
