-- Which reviews are known already?
select distinct review_id from gold_labels
