-- How many rows have this watermark?
select count(*) as n from $rows as r where r.$watermark = $edge
