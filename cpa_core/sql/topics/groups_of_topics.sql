-- Which group is each topic of a corpus in?
select topic_id, group_id from topics where corpus = $corpus
