-- Which definitions had this label when people used it?
select distinct definition from gold_labels where key = $key
