-- Which conversations of these days are judged?
select day, conversation_id
from judge_scores
where outcome = 'ok' and list_contains($days::date[], day)
