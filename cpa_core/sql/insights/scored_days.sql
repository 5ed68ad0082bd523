-- How many conversations of each day have a score, as they are now?
select c.day, count(*) as scored
from raw_conversations c
join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id and j.content_hash = c.content_hash
where j.outcome = 'ok' and j.score is not null
group by c.day
order by c.day
