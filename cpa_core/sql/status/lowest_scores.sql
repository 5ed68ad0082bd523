-- Which conversations of each of these days have the lowest scores?
select day, conversation_id, score
from judge_scores
where list_contains($days::date[], day) and score is not null
qualify row_number() over (partition by day order by score, conversation_id) <= $most
order by day, score, conversation_id
