-- How many spaces of topics does each corpus have?
select corpus, count(*) as spaces from topic_spaces group by corpus
