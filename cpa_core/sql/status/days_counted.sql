-- How many days are recorded?
select count(*) as days from days
