-- Which draws are merged already?
select distinct draw_id as id from gold_draws
