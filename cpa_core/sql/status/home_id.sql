-- What is the id of this home?
select id from home
