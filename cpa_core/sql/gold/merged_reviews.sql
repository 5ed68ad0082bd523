-- Which reviews of people are merged already?
select distinct review_id as id from gold_labels
