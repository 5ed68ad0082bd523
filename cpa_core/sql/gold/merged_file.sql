-- How far was this file merged?
select * from gold_merged where file = $name
