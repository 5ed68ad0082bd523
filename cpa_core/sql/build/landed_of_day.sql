-- How many conversations of this day have landed?
select count(*) as n from landed_conversations where day = $day
