-- Has a person labelled anything?
select 1 from gold_labels limit 1
