-- Until which day has a clustering seen the texts of a corpus?
select max(last_day) as day from topic_clusterings where corpus = $corpus
