-- Which spaces does a corpus have, the first first, and which topics were found in each?
select s.space_id, s.number, s.since, s.arrays, s.others, t.topic_id, t.words, t.centre, t.radius
from topic_spaces s
left join topics t on t.space_id = s.space_id and t.corpus = s.corpus
where s.corpus = $corpus
order by s.number, t.topic_id
