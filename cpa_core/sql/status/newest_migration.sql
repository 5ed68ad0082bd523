-- Which migration is the newest of this home?
select max(number) as migration from migrations
