-- How are the scores of each of these days spread? By tens, 100 among the nineties; a score that is unknown has no band.
select day, least(floor(score / 10), 9)::bigint * 10 as band, count(*) as conversations
from judge_scores
where list_contains($days::date[], day) and outcome = 'ok'
group by all
order by day, band nulls last
