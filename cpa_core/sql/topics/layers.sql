-- Which spaces does a corpus have since the last change of its vectors, the first first, and which topics were found in
-- each? A space of all days is the first of an epoch.
select s.space_id, s.number, s.since, s.arrays, s.others, t.topic_id, t.words, t.centre, t.radius
from topic_spaces s
left join topics t on t.space_id = s.space_id and t.corpus = s.corpus
where s.corpus = $corpus
  and s.number >= (
    select coalesce(max(f.number), 0) from topic_spaces f where f.corpus = $corpus and f.since is null
  )
order by s.number, t.topic_id
