-- Which columns does the source have, and of which types?
select * from $rows as r limit 0
