-- Which rows have watermarks in this range, in their order?
select $columns from $rows as r where $range order by r.$watermark
