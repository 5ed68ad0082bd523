-- Which is the newest watermark?
select max(r.$watermark) as newest from $rows as r
