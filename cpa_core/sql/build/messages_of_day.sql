-- How many messages has the day?
select count(*) as n from messages where day = $day
