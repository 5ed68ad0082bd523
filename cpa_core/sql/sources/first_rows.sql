-- Which rows come first, in any order? For a look at what a row is.
select $columns from $rows as r limit $most
