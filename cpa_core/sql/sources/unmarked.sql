-- How many rows have no watermark? Nobody could tell when they changed.
select count(*) as n from $rows as r where r.$watermark is null
